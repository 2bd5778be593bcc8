/** How the program listens, and the limits of its HTTP. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { useDatabase } from "../support/database.ts";
import { startServer } from "../support/process.ts";
import { newSessionId } from "../support/secrets.ts";
import { waitUntil } from "../support/wait-until.ts";
import { Connection, post, useProcesses } from "./support/sockets.ts";

const db = useDatabase();
useProcesses();

/** The connections that the kernel has made and nobody has accepted yet: the receive queue of the socket that listens (0A). */
function countWaiting(port: number): number {
  const at = port.toString(16).toUpperCase().padStart(4, "0");
  const listening = new RegExp(`: \\w+:${at} \\w+:\\w+ 0A \\w+:(\\w+)`).exec(readFileSync("/proc/net/tcp", "latin1"));
  return Number.parseInt(listening?.[1] as string, 16);
}

const serve = (env: Record<string, string> = {}) => startServer({ DATABASE_URL: db.url, ...env });

describe("listening", () => {
  it("PORT=0 takes a free port, prints it, and answers there: two at once on one machine", async () => {
    const servers = await Promise.all([
      serve({ PORT: "0", HOST: "127.0.0.1" }),
      serve({ PORT: "0", HOST: "127.0.0.1" }),
    ]);
    expect(servers[0].url).not.toBe(servers[1].url);
    for (const server of servers) {
      expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:[1-9]\d+$/);
      expect((await server.get("/health")).body.status).toBe("ok");
    }
    expect(await Promise.all(servers.map((server) => server.stop()))).toEqual([0, 0]);
  });

  it.runIf(process.platform === "linux")(
    "a crowd that comes at once waits in line, as long as the host lets it be",
    async () => {
      const crowd = Math.min(1500, Number(readFileSync("/proc/sys/net/core/somaxconn", "utf8")));
      const server = await serve();
      const port = Number(new URL(server.url).port);
      server.child.kill("SIGSTOP");
      const answers = Promise.all(Array.from({ length: crowd }, () => server.get("/health/live")));
      await waitUntil(() => countWaiting(port) === crowd);
      server.child.kill("SIGCONT");
      for (const { status } of await answers) expect(status).toBe(200);
      expect(await server.stop()).toBe(0);
    },
  );

  it("10,000 bytes of headers are fine; 20,000 get 431 with a code, and only that connection ends", async () => {
    const server = await serve();
    const connection = new Connection(server);
    expect((await connection.get("/health/live", `X-Long: ${"x".repeat(10_000)}\r\n`)).status).toBe(200);
    const refusal = await connection.get("/health/live", `X-Long: ${"x".repeat(20_000)}\r\n`);
    expect([refusal.status, refusal.body.code]).toEqual([431, "headers_too_large"]);
    expect(refusal.body).toMatchObject({ error: expect.any(String), request_id: refusal.headers.get("x-request-id") });
    await waitUntil(() => connection.closed);
    expect((await new Connection(server).get("/health/live")).status).toBe(200);
    expect(await server.stop()).toBe(0);
  });

  it("what is no HTTP gets 400 with a code", async () => {
    const server = await serve();
    const connection = new Connection(server);
    connection.send("GIVE ME A SESSION\r\n\r\n");
    const refusal = await connection.answer();
    expect([refusal.status, refusal.body.code]).toEqual([400, "invalid_request"]);
    expect(await server.stop()).toBe(0);
  });

  it("a client that hangs with half of a request gets 408 or is cut, long before the minutes that Node would wait", async () => {
    const server = await serve();
    const [halfHead, halfBody, silent] = [new Connection(server), new Connection(server), new Connection(server)];
    halfHead.send("POST /api/session/heartbeat HTTP/1.1\r\nHost: te");
    const { head, rest } = post("/api/session/heartbeat", { session_id: newSessionId() });
    halfBody.send(head + rest.slice(0, -10));
    for (const connection of [halfHead, halfBody]) {
      const answer = await connection.answer();
      expect([answer.status, answer.body.code]).toEqual([408, "request_timeout"]);
    }
    await waitUntil(() => [halfHead, halfBody, silent].every((connection) => connection.closed));
    expect((await server.get("/health/live")).status).toBe(200);
    expect(await server.stop()).toBe(0);
  });
});
