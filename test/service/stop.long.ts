/** How the program stops. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { childrenOf, isAlive, signal } from "../support/children.ts";
import { useDatabase } from "../support/database.ts";
import { type RunningServer, startServer } from "../support/process.ts";
import { newSessionId } from "../support/secrets.ts";
import { waitUntil } from "../support/wait-until.ts";
import { watch } from "../support/watch.ts";
import { Connection, post, useProcesses } from "./support/sockets.ts";

const db = useDatabase();
useProcesses();

const serve = (env: Record<string, string> = {}) => startServer({ DATABASE_URL: db.url, ...env });

async function isRefusingConnections(server: RunningServer): Promise<boolean> {
  const probe = new Connection(server);
  const connected = await new Promise((resolve) => {
    probe.socket.once("connect", () => resolve(true)).once("close", () => resolve(false));
  });
  probe.socket.destroy();
  return !connected;
}

describe("SIGTERM", () => {
  it("with a start under way: it is answered, as is what still comes on an open connection, for the last time, exit 0", async () => {
    const { key, id } = await db.makeKey();
    const session_id = newSessionId();
    const server = await serve();
    const [underWay, late] = [new Connection(server), new Connection(server)];
    let stopped: Promise<number | null> | undefined;
    await db.sql.begin(async (holder) => {
      expect((await late.get("/health/live")).headers.get("connection")).toBe("keep-alive");
      const heartbeat = post("/api/session/heartbeat", { session_id: newSessionId() });
      late.send(heartbeat.head);

      await holder`SELECT FROM keys WHERE id = ${id} FOR UPDATE`;
      const [own] = await holder`SELECT pg_backend_pid() AS pid`;
      const start = post("/api/session/start", { access_key: key, session_id });
      underWay.send(start.head + start.rest);
      await waitUntil(
        async () =>
          (await db.sql`SELECT FROM pg_stat_activity WHERE ${own?.pid} = ANY (pg_blocking_pids(pid))`).length > 0,
      );

      stopped = server.stop("SIGTERM");
      await waitUntil(() => isRefusingConnections(server));
      late.send(heartbeat.rest);
      const last = await late.answer();
      expect([last.status, last.body.code]).toEqual([404, "session_not_found"]);
      expect(last.headers.get("connection")).toBe("close");
      await waitUntil(() => late.closed);
    });
    const answer = await underWay.answer();
    expect([answer.status, answer.body.session_id]).toEqual([200, session_id]);
    // The program gives itself 10 s and exits with 1 when they are over.
    expect(await stopped).toBe(0);
    expect(await db.sql`SELECT FROM active_sessions WHERE session_id = ${session_id}`).toHaveLength(1);
  });

  it("is not held up by clients that are idle, that sent half of a request, or none", async () => {
    const server = await serve();
    const [idle, halfHead, halfBody] = [new Connection(server), new Connection(server), new Connection(server)];
    const silent = new Connection(server);
    await idle.get("/health/live");
    halfHead.send("POST /api/session/heartbeat HTTP/1.1\r\nHost: te");
    const { head, rest } = post("/api/session/heartbeat", { session_id: newSessionId() });
    halfBody.send(head + rest.slice(0, -10));
    await sleep(200);
    expect(await server.stop("SIGTERM")).toBe(0);
    await waitUntil(() => [idle, halfHead, halfBody, silent].every((connection) => connection.closed));
  });

  it.each(["1", "2"])(
    "is seen in the health check before a connection is refused, with WORKERS=%s",
    async (workers) => {
      const server = await serve({ DRAIN_SECONDS: "3", WORKERS: workers });
      const { key } = await db.makeKey();
      const kept = new Connection(server);
      expect((await kept.get("/health")).body.status).toBe("ok");
      const stopped = server.stop("SIGTERM");
      let draining: Awaited<ReturnType<Connection["answer"]>> | undefined;
      await waitUntil(async () => {
        draining = await new Connection(server).get("/health");
        return draining.status === 503;
      });
      expect(draining?.body).toMatchObject({ status: "draining", database: "ok" });
      expect(Number(draining?.headers.get("retry-after"))).toBeGreaterThan(0);
      const live = await new Connection(server).get("/health/live");
      expect([live.status, live.headers.get("connection")]).toEqual([200, "close"]);
      const start = post("/api/session/start", { access_key: key });
      const fresh = new Connection(server);
      fresh.send(start.head + start.rest);
      expect((await fresh.answer()).status).toBe(200);
      expect(kept.closed).toBe(false);
      const beat = post("/api/session/heartbeat", { session_id: newSessionId() });
      kept.send(beat.head + beat.rest);
      expect((await kept.answer()).body.code).toBe("session_not_found");
      await waitUntil(() => kept.closed && fresh.closed);
      expect(await stopped).toBe(0);
    },
  );

  it("ends the watch streams only when nobody can come any more", async () => {
    const server = await serve({ DRAIN_SECONDS: "1" });
    const { key } = await db.makeKey();
    const session_id = newSessionId();
    await server.post("/api/session/start", { access_key: key, session_id });
    const stream = await watch(server.url, session_id);
    const stopped = server.stop("SIGTERM");
    await waitUntil(async () => (await new Connection(server).get("/health")).status === 503);
    await server.post("/api/session/start", { access_key: key });
    expect((await stream.done)?.event).toBe("replaced");
    expect(await stopped).toBe(0);
  });

  it("is what a closed terminal means, with the embedded PostgreSQL and the workers", async () => {
    const folder = mkdtempSync(join(tmpdir(), "keybeat-hangup-"));
    const server = await startServer({ DATA_DIR: folder, WORKERS: "2" });
    const workers = childrenOf(server.child.pid as number);
    const mark = join(folder, "postgres", "postmaster.pid"); // PostgreSQL removes it on shutdown
    expect(existsSync(mark)).toBe(true);
    for (const pid of workers) signal(pid, "SIGHUP"); // it reaches all of them
    expect(await server.stop("SIGHUP")).toBe(0);
    expect([existsSync(mark), workers.filter(isAlive)]).toEqual([false, []]);
    rmSync(folder, { recursive: true });
  });

  it("twice, and a Ctrl-C with it, is one orderly stop", async () => {
    const server = await serve();
    for (const name of ["SIGTERM", "SIGINT"] as const) server.child.kill(name);
    expect(await server.stop("SIGTERM")).toBe(0);
    expect(server.output().match(/"stopping"/g)).toHaveLength(1);
  });
});
