/** A program of several processes: its workers come, go and come again, and work as one. */
import { execFileSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { childrenOf, isAlive, signal } from "../support/children.ts";
import { useDatabase } from "../support/database.ts";
import { type RunningServer, startServer } from "../support/process.ts";
import { startProxy } from "../support/proxy.ts";
import { waitUntil } from "../support/wait-until.ts";
import { Connection, useProcesses } from "./support/sockets.ts";

const db = useDatabase();
useProcesses();

const serve = (env: Record<string, string> = {}) => startServer({ DATABASE_URL: db.url, ...env });

/** The soft limit, of a process that runs. */
function limitOpenFiles(pid: number, files: number): void {
  execFileSync("prlimit", ["--pid", String(pid), `--nofile=${files}:`]);
}

describe("WORKERS=2", () => {
  const workersOf = (server: RunningServer) => childrenOf(server.child.pid as number);

  it("one ready line, both answer; one killed with -9 is replaced while the other goes on; SIGTERM ends all", async () => {
    const server = await serve({ WORKERS: "2" });
    const before = workersOf(server);
    expect(before).toHaveLength(2);
    const connections = Array.from({ length: 6 }, () => new Connection(server));
    for (const connection of connections) expect((await connection.get("/health")).status).toBe(200);

    signal(before[0] as number, "SIGKILL");
    // The dead worker's connections are cut and the other's live on, so both had answered.
    await waitUntil(() => connections.some((connection) => connection.closed));
    const left = connections.filter((connection) => !connection.closed);
    expect(left.length).toBeGreaterThan(0);
    for (const connection of left) expect((await connection.get("/health")).status).toBe(200);

    await waitUntil(() => workersOf(server).length === 2);
    const after = workersOf(server);
    expect(after).toContain(before[1]);
    expect(after).not.toContain(before[0]);
    const { key } = await db.makeKey();
    for (let call = 0; call < 20; call++) {
      const reply = await server.post("/api/session/start", { access_key: key }, { Connection: "close" });
      expect(reply.status).toBe(200);
    }
    expect(server.output()).toContain("a worker died, starting another");
    expect(await server.stop("SIGTERM")).toBe(0);
    expect([...before, ...after].filter(isAlive)).toEqual([]);
    expect(server.output().match(/^listening on /gm)).toHaveLength(1);
  });

  it("one that cannot start again, the database being away, says why and is tried ever more rarely, until it can", async () => {
    const proxy = await startProxy(db.url);
    const server = await serve({ WORKERS: "2", DATABASE_URL: proxy.url });
    await proxy.set("refuse");
    signal(workersOf(server)[0] as number, "SIGKILL");
    const deaths = () =>
      [...server.output().matchAll(/^.*"msg":"a worker died, starting another".*$/gm)].map(([line]) =>
        JSON.parse(line),
      );
    await waitUntil(() => deaths().length >= 3);
    expect(deaths().map(({ pause_ms }) => pause_ms)).toEqual([500, 1000, 2000]);
    expect(deaths().map(({ reason }) => reason)).toEqual([
      undefined,
      ...Array(2).fill(expect.stringMatching(/ECONNREFUSED/)),
    ]);
    await proxy.set("pass");
    await waitUntil(() => workersOf(server).length === 2);
    await waitUntil(async () => (await server.get("/health")).status === 200);
    expect(await server.stop()).toBe(0);
    await proxy.close();
  });

  it.runIf(process.platform === "linux")("one that cannot be forked is tried again, and the others go on", async () => {
    const server = await serve({ WORKERS: "2" });
    const primary = server.child.pid as number;
    const before = workersOf(server);
    // From now on no process can be given a file descriptor.
    limitOpenFiles(primary, 10);
    signal(before[0] as number, "SIGKILL");
    await waitUntil(
      () => (server.output().match(/"msg":"a worker cannot be forked, trying again"/g) ?? []).length >= 2,
    );
    expect(server.output()).toMatch(/"code":"EMFILE"/);
    expect((await server.get("/health")).status).toBe(200);
    limitOpenFiles(primary, 1000);
    await waitUntil(() => workersOf(server).length === 2);
    await waitUntil(async () => (await server.get("/health")).status === 200);
    expect(workersOf(server)).toContain(before[1]);
    expect(await server.stop()).toBe(0);
  });

  it("a Ctrl-C, which reaches all of them at once, is an orderly stop", async () => {
    const server = await serve({ WORKERS: "2" });
    const workers = workersOf(server);
    for (const worker of workers) signal(worker, "SIGINT");
    expect(await server.stop("SIGINT")).toBe(0);
    expect(workers.filter(isAlive)).toEqual([]);
    expect(server.output()).not.toMatch(/"level":50/);
  });

  it("kill -9 of the primary ends its workers too", async () => {
    const server = await serve({ WORKERS: "2" });
    const workers = workersOf(server);
    expect(workers).toHaveLength(2);
    expect(await server.stop("SIGKILL")).toBe(null);
    await waitUntil(() => !workers.some(isAlive));
  });

  it("jobs run once, not once a process", { timeout: 120_000 }, async () => {
    // One tick in the minute, a few seconds ahead: by then everything is up, or the next one comes in a minute.
    const second = new Date(Date.now() + 6000).getUTCSeconds();
    const env = { WORKERS: "2", LOG_LEVEL: "debug", CLEANUP_CRON: `${second} * * * * *` };
    const server = await serve(env);
    const runs = () => server.output().split("cleanup finished").length - 1;
    await waitUntil(() => runs() > 0, 75_000);
    await sleep(1500);
    expect(runs()).toBe(1);
    expect(await server.stop()).toBe(0);
  });
});
