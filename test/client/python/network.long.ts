/** Python apps and a network that does not do as it should: addresses, certificates, redirects, proxies. */
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { SELF_SIGNED } from "../support/certificate.ts";
import { describeWithPython, python, usePython } from "./support/app.ts";
import { useServers } from "./support/servers.ts";

usePython();

describeWithPython("a Python app and a network that does not do as it should", () => {
  const { servers, fake, listen } = useServers();

  it("gets through where the first addresses of the host lead nowhere, in about a second, its heartbeats and stream too", async () => {
    const server = await fake({ timeoutSeconds: 8, heartbeatSeconds: 1 });
    const app = python(
      `
import socket
def find(host, port, *_, **__):
    return [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("100::1", port, 0, 0))] + [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("198.51.100.1", "127.0.0.1")]
socket.getaddrinfo = find
begun = time.monotonic()
session = start_session(url, key, on_event=tell)
say("started", took=time.monotonic() - begun)
sys.stdin.readline()
begun = time.monotonic()
session.end()
say("over", took=time.monotonic() - begun)`,
      [server.url.replace("127.0.0.1", "keys.test"), "some-key"],
    );
    expect((await app.next("started")).took).toBeLessThan(3);
    const count = (path: string) => server.requests.filter((request) => request.path.endsWith(path)).length;
    await expect.poll(() => count("/heartbeat")).toBeGreaterThanOrEqual(2);
    expect(count("/watch")).toBe(1);
    app.child.stdin?.write("\n");
    expect((await app.next("over")).took).toBeLessThan(3);
    await app.ended();
    expect(app.said.map(({ what }) => what)).not.toContain("degraded");
  });

  it("is told at once of a certificate that nobody vouches for, and of a redirect to https", async () => {
    const tls = createTlsServer(SELF_SIGNED, (_, response) => response.end("{}"));
    servers.push({ close: () => [tls.closeAllConnections(), tls.close()] });
    await new Promise<void>((resolve) => tls.listen(0, "127.0.0.1", resolve));
    const [, plain] = await listen((request, response) => {
      response.writeHead(301, { Location: `https://${request.headers.host}${request.url}` }).end();
    });
    const [, apex] = await listen((request, response) => {
      response.writeHead(308, { Location: `https://www.keys.test${request.url}` }).end();
    });
    const script = `
begun = time.monotonic()
try:
    start_session(url, key)
except KeybeatError as error:
    say("failed", code=error.code, message=str(error), cause=type(error.__cause__).__name__, took=time.monotonic() - begun)`;
    for (const [url, message, cause] of [
      [
        `https://127.0.0.1:${(tls.address() as AddressInfo).port}`,
        /self.signed certificate/,
        "SSLCertVerificationError",
      ],
      [plain, /a redirect to https:/, "NoneType"],
      [apex, /a redirect to https:\/\/www/, "NoneType"],
    ] as const) {
      const app = python(script, [url, "some-key"]);
      const failed = await app.next("failed");
      expect(failed).toMatchObject({ code: "unreachable", message: expect.stringMatching(message), cause });
      expect(failed.took).toBeLessThan(10);
      await app.ended();
    }
  });

  it("reads no answer without end, and asks no faster than once a second whatever the service wants", async () => {
    let [beats, sent] = [0, 0];
    const reply = { success: true, generation: 1, expires_in: 60, heartbeat_in: 1e-9, resumed: false };
    const [, url] = await listen((request, response) => {
      response.writeHead(200, { "Content-Type": "application/json" });
      if (request.url?.endsWith("/heartbeat")) beats++;
      if (!request.url?.endsWith("/watch")) return void response.end(JSON.stringify(reply));
      const piece = Buffer.alloc(65_536, ":\n");
      const pour = () => {
        while (!response.destroyed && response.write(piece)) sent += piece.length;
        response.once("drain", pour);
      };
      pour();
    });
    const app = python("session = start_session(url, key)\nsay('live')\nsys.stdin.readline()\nsession.end()", [
      url,
      "k",
    ]);
    await app.next("live");
    await sleep(3_500);
    app.child.stdin?.write("\n");
    await app.ended();
    expect(beats).toBeGreaterThanOrEqual(1);
    expect(beats).toBeLessThanOrEqual(5);
    expect(sent).toBeLessThan(32 * 1_048_576);
  });

  it("sends the key without what was pasted along, and a device cut to whole characters", async () => {
    const server = await fake();
    const app = python(
      `
device = {"name": "x" * 99 + "\\U0001f600" * 2, "platform": "y" * 49 + "e\\u0301", "app_version": 12}
start_session(url, "\\ufeff \\u00a0\\u200b ab-cd\\u2060\\u3164\\n", device=device).end()`,
      [server.url, ""],
    );
    await app.ended();
    const device = { name: `${"x".repeat(99)}😀`, platform: "y".repeat(49), app_version: "12" };
    expect(server.requests[0]?.body).toMatchObject({ access_key: "ab-cd", device });
  });

  it("follows no redirect", async () => {
    const followed: string[] = [];
    const [, target] = await listen((request, response) => {
      followed.push(request.url ?? "");
      response.end("{}");
    });
    const [, url] = await listen((request, response) => {
      response.writeHead(request.method === "POST" ? 307 : 302, { Location: target }).end();
    });
    const app = python(
      `
try:
    start_session(url, key, start_timeout=1)
except KeybeatError as error:
    say("failed", code=error.code, message=str(error))`,
      [url, "some-key"],
    );
    const message = `HTTP 307, a redirect to ${target}, which is not followed`;
    expect(await app.next("failed")).toMatchObject({ code: "unreachable", message });
    expect(followed).toEqual([]);
    await app.ended();
  });

  it("goes through the system's proxy, with its password, and past it where the system says so", async () => {
    const server = await fake();
    const seen: string[] = [];
    const [proxy, proxyUrl] = await listen((request, response) => {
      seen.push(`${request.url} ${request.headers["proxy-authorization"]}`);
      response.writeHead(502).end();
    });
    proxy.on("connect", (request, socket) => {
      seen.push(`CONNECT ${request.url} ${request.headers["proxy-authorization"]}`);
      // The client may be gone before it has read that.
      socket.on("error", () => {}).end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
    });
    const script = `
try:
    say("live", generation=start_session(url, key, start_timeout=0.5).generation)
except KeybeatError as error:
    say("failed", code=error.code)`;
    const withPassword = proxyUrl.replace("://", "://me:p%40ss@");
    const credentials = `Basic ${Buffer.from("me:p@ss").toString("base64")}`;
    const env = { http_proxy: withPassword, https_proxy: withPassword };
    for (const [url, expected] of [
      ["http://keys.test:81/base", "http://keys.test:81/base/api/session/start"],
      ["https://keys.test", "CONNECT keys.test:443"],
    ] as const) {
      seen.length = 0;
      const app = python(script, [url, "some-key"], env);
      await app.next("failed");
      expect(seen[0]).toBe(`${expected} ${credentials}`);
      await app.ended();
    }
    const past = python(script, [server.url, "some-key"], { ...env, no_proxy: "127.0.0.1" });
    await past.next("live");
    await past.ended();
  });
});
