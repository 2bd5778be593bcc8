/** A server that is not what it should be, over real HTTP: what the clients take of it, and what they say about it. */
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, it } from "vitest";
import { type KeybeatError, type StartOptions, startSession } from "../../src/client/index.ts";
import { createWaitingRoom } from "../../src/client/waiting-room/index.ts";
import { SELF_SIGNED } from "./support/certificate.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function listen(handle: RequestListener, server: Server = createServer()): Promise<string> {
  servers.push(server.on("request", handle) as Server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Why the start failed, and after how long. */
async function failure(url: string, more: Partial<StartOptions> = {}) {
  const begunAt = performance.now();
  const options = { url, accessKey: "a-key", startTimeoutMs: 800, random: () => 0, ...more } as StartOptions;
  const error = await startSession(options).then(
    () => undefined,
    (thrown: KeybeatError) => thrown,
  );
  expect(error).toMatchObject({ name: "KeybeatError", code: "unreachable" });
  return { message: error?.message ?? "", cause: error?.cause, tookMs: performance.now() - begunAt };
}
/** And what the waiting room's client says. */
const roomFailure = (baseUrl: string) =>
  createWaitingRoom({ baseUrl })
    .checkPosition("jun")
    .then(
      () => undefined,
      (error: KeybeatError) => error,
    );

const LONG = 20_000;

describe("an answer without end", () => {
  it("is given up after what the service could never say, by either client", async () => {
    let sent = 0;
    const url = await listen((_, response) => {
      response.writeHead(200, { "Content-Type": "application/json" });
      const piece = Buffer.alloc(65_536, " ");
      const pour = () => {
        while (!response.destroyed && response.write(piece)) sent += piece.length;
        response.once("drain", pour);
      };
      pour();
    });
    expect((await failure(url)).message).toMatch(/^too long an answer/);
    expect(await roomFailure(url)).toMatchObject({ code: "unreachable", message: "too long an answer" });
    // What fits into the buffers between the two, not what 800 ms can bring.
    expect(sent).toBeLessThan(32 * 1_048_576);
  });

  it("is given up when it is short and grows by being unpacked", async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1_048_576, " "));
    const url = await listen((_, response) => {
      response.writeHead(200, { "Content-Type": "application/json", "Content-Encoding": "gzip" }).end(bomb);
    });
    expect((await failure(url)).message).toMatch(/^too long an answer/);
    expect(await roomFailure(url)).toMatchObject({ code: "unreachable", message: "too long an answer" });
  });
});

describe("a mistake that no second try mends", () => {
  it("is told at once: a redirect to https, and what to write", async () => {
    const url = await listen((request, response) => {
      const target = `https://${request.headers.host}${request.url}`;
      response.writeHead(301, { Location: target }).end();
    });
    const { message, tookMs } = await failure(url, { startTimeoutMs: LONG });
    expect(message).toContain(`a redirect to ${url.replace("http:", "https:")}/api/session/start`);
    expect(tookMs).toBeLessThan(LONG / 2);
  });

  it("is told at once: a redirect to another host or port, at the same path", async () => {
    for (const elsewhere of ["https://www.keys.test", "https://keys.test:8443", "http://127.0.0.2:1"]) {
      const url = await listen((request, response) => {
        response.writeHead(308, { Location: elsewhere + request.url }).end();
      });
      const { message, tookMs } = await failure(url, { startTimeoutMs: LONG });
      expect(message).toContain(`a redirect to ${elsewhere}/api/session/start`);
      expect(tookMs).toBeLessThan(LONG / 2);
    }
  });

  it("is told at once: a certificate that nobody vouches for", async () => {
    const server = createTlsServer(SELF_SIGNED);
    const url = (await listen((_, response) => response.end(), server as unknown as Server)).replace("http", "https");
    const { message, cause, tookMs } = await failure(url, { startTimeoutMs: LONG });
    expect(message).toMatch(/^DEPTH_ZERO_SELF_SIGNED_CERT \(https:.+self-signed certificate/);
    expect(cause).toMatchObject({ cause: { code: "DEPTH_ZERO_SELF_SIGNED_CERT" } });
    expect(tookMs).toBeLessThan(LONG / 2);
    expect((await roomFailure(url))?.message).toMatch(/self-signed certificate/);
  });

  it("is told at once: a port that speaks no TLS", async () => {
    const url = (await listen((_, response) => response.end())).replace("http", "https");
    const { message, tookMs } = await failure(url, { startTimeoutMs: LONG });
    expect(message).toMatch(/SSL/);
    expect(tookMs).toBeLessThan(LONG / 2);
  });
});

describe("what may pass", () => {
  it("is tried again, and named in the end: a name that nobody knows", async () => {
    const { message, cause } = await failure("https://keys.example.invalid");
    expect(message).toMatch(/(ENOTFOUND|EAI_AGAIN).*keys\.example\.invalid/);
    expect(cause).toBeInstanceOf(TypeError);
  });

  it("is tried again, and named in the end: a page in the service's place, and a path where nothing is", async () => {
    const page = await listen((_, response) => {
      response.writeHead(404, { "Content-Type": "text/html" }).end("<h1>Not Found</h1>");
    });
    expect((await failure(page)).message).toBe(`HTTP 404 (${page}/api/session/start: text/html)`);
    const login = await listen((_, response) => {
      response.writeHead(200, { "Content-Type": "text/html" }).end("<h1>Please log in</h1>");
    });
    expect((await failure(login)).message).toBe(`HTTP 200 (${login}/api/session/start: text/html)`);
    const closes = async () => createWaitingRoom({ baseUrl: login }).closeSession("jun");
    await expect(closes()).rejects.toMatchObject({ code: "unreachable" });
  });

  it("is never followed, and named in the end: a redirect to somewhere else", async () => {
    const followed: string[] = [];
    const elsewhere = await listen((request, response) => {
      followed.push(request.url ?? "");
      response.end("{}");
    });
    const url = await listen((_, response) => response.writeHead(307, { Location: `${elsewhere}/login` }).end());
    expect((await failure(url)).message).toContain(`a redirect to ${elsewhere}/login, which is not followed`);
    expect((await roomFailure(url))?.message).toBe(`a redirect to ${elsewhere}/login, which is not followed`);
    expect(followed).toEqual([]);
  });
});
