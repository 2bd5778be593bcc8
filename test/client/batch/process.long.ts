/** A worker of keybeat/batch as a process of its own, which is interrupted and killed; and one whose service goes away. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { type BatchProgress, runBatch } from "../../../src/client/batch/index.ts";
import { useDatabase } from "../../support/database.ts";
import { freePort } from "../../support/free-port.ts";
import { startServer } from "../../support/process.ts";
import { startProxy } from "../../support/proxy.ts";
import { askBatches, nodeNames, useService } from "./support/service.ts";

const db = useDatabase();
const service = useService(db);
const folder = mkdtempSync(join(tmpdir(), "keybeat-batch-"));
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Ten nodes: the first three are done at once, the others take as long as they may. */
function startWorker(canvasPath: string, more = "") {
  const file = join(folder, "worker.mjs");
  writeFileSync(
    file,
    `import { runBatch } from ${JSON.stringify(resolve("dist/src/client/batch/index.js"))};
     const [url, canvasPath, more] = process.argv.slice(2);
     ${more}
     const outcome = await runBatch({
       url, canvasPath, worker: "a child", nodes: ${JSON.stringify(nodeNames(10))},
       run: (node, { signal }) => Number(node.slice(5)) < 3 ? node : new Promise((_, reject) => {
         console.log("waits");
         signal.addEventListener("abort", () => { console.log("stopped", signal.reason.code); reject(signal.reason); });
       }),
     });
     console.log(JSON.stringify(outcome));`,
  );
  const child = spawn(process.execPath, [file, service.url, canvasPath], { stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      output += chunk;
    });
  }
  const closed = new Promise<{ code: number | null; signal: string | null }>((done) => {
    child.once("close", (code, signal) => done({ code, signal }));
  });
  return { child, closed, output: () => output };
}

const session = (canvasPath: string) => service.only(canvasPath).catch(() => undefined);

describe("a worker's process", () => {
  it.each(["SIGINT", "SIGTERM"] as const)(
    "at %s stops its nodes, leaves the run cancelled with what is done, and goes",
    async (signal) => {
      const canvasPath = `${signal}.canvas`;
      const worker = startWorker(canvasPath);
      await expect.poll(() => session(canvasPath)).toMatchObject({ completed_nodes: 3 });
      await expect.poll(() => worker.output().match(/waits/g)?.length).toBe(7);
      worker.child.kill(signal);
      expect(await worker.closed, worker.output()).toEqual({ code: null, signal });
      expect(worker.output().match(/stopped stopped/g)).toHaveLength(7);
      expect(worker.output()).not.toMatch(/Warning|Error/);
      expect(await session(canvasPath)).toMatchObject({ status: "cancelled", completed_nodes: 3, failed_nodes: 0 });
    },
  );

  it("does not wait at a second Ctrl-C, and ends by itself when its run does", async () => {
    const worker = startWorker("twice.canvas", "setInterval(() => {}, 1_000); globalThis.fetch = slow(fetch);" + SLOW);
    await expect.poll(() => worker.output().match(/waits/g)?.length).toBe(7);
    worker.child.kill("SIGINT");
    await expect.poll(() => worker.output()).toMatch(/stopped stopped/);
    worker.child.kill("SIGINT");
    expect(await worker.closed).toEqual({ code: null, signal: "SIGINT" });

    const free = startWorker("free.canvas");
    await expect.poll(() => session("free.canvas")).toMatchObject({ completed_nodes: 3 });
    const { session_id } = await service.only("free.canvas");
    await service.post(`/${session_id}/cancel`);
    expect(await free.closed, free.output()).toEqual({ code: 0, signal: null });
    expect(free.output()).toMatch(/"status":"cancelled","endedReason":"cancelled"/);
  });

  it("killed, is followed by another of its name, which runs what has no result", async () => {
    const worker = startWorker("killed.canvas");
    await expect.poll(() => session("killed.canvas")).toMatchObject({ completed_nodes: 3 });
    worker.child.kill("SIGKILL");
    await worker.closed;
    const { session_id } = await service.only("killed.canvas");
    const ran: string[] = [];
    const outcome = await runBatch({
      url: service.url,
      resume: session_id,
      worker: "a child",
      nodes: nodeNames(10),
      run: (node) => void ran.push(node),
    });
    expect(outcome).toMatchObject({ sessionId: session_id, status: "completed", completed: 10 });
    expect(ran).toEqual(nodeNames(10).slice(3));
  });
});

/** Once a node waits, a call takes longer than anybody would wait for. */
const SLOW = `
  function slow(fetch) {
    return (url, init) => fetch(url, init).then((response) =>
      url.endsWith("/transition") ? new Promise(() => {}) : response);
  }`;

/** Runs nodes that take their time, and tells how often each ran and how many results waited at most. */
function startRun(
  url: string,
  options: {
    nodes: number;
    takesMs: number;
    concurrency?: number;
    canvasPath: string;
    mayEnd?: (at: number) => boolean;
  },
) {
  const ran = new Map<string, number>();
  const told: BatchProgress[] = [];
  let undelivered = 0;
  const outcome = runBatch({
    url,
    canvasPath: options.canvasPath,
    nodes: nodeNames(options.nodes),
    concurrency: options.concurrency ?? 12,
    endOnSignals: false,
    onProgress(progress) {
      told.push(progress);
      undelivered = Math.max(undelivered, progress.undelivered);
    },
    async run(node) {
      ran.set(node, (ran.get(node) ?? 0) + 1);
      do await sleep(options.takesMs);
      while (options.mayEnd?.(Number(node.slice(5))) === false);
      return { of: node };
    },
  });
  outcome.catch(() => {});
  return { outcome, ran, told, undelivered: () => undelivered };
}

async function expectWhole(url: string, run: ReturnType<typeof startRun>, nodes: number) {
  const outcome = await run.outcome;
  expect(outcome).toMatchObject({ status: "completed", endedReason: "reported", completed: nodes });
  expect([...run.ran.values()]).toEqual(Array(nodes).fill(1));
  const stored = await askBatches(() => url).nodes(outcome.sessionId);
  expect(stored).toHaveLength(nodes);
  for (const { node_id, result } of stored) expect(result).toEqual({ of: node_id });
  const [told] = await db.sql`SELECT count(*)::int AS n FROM batch_events e JOIN batch_sessions s USING (run)
                              WHERE s.session_id = ${outcome.sessionId} AND e.event = 'node_complete'`;
  expect(told?.n).toBe(nodes);
}

describe("a worker whose service goes away", () => {
  it("loses and doubles nothing when the service is killed and started again, twice", async () => {
    const env = { DATABASE_URL: db.url, CLEANUP_CRON: "", HOST: "127.0.0.1", PORT: String(await freePort()) };
    let server = await startServer(env);
    const { url } = server;
    let open = 30;
    const mayEnd = (at: number) => at < open;
    const run = startRun(url, { nodes: 120, takesMs: 50, concurrency: 4, canvasPath: "restarts.canvas", mayEnd });
    for (const more of [30, 40]) {
      await expect.poll(() => run.told.at(-1)?.completed).toBeGreaterThan(open - 15);
      await server.stop("SIGKILL");
      open += more;
      await expect.poll(() => run.ran.size).toBeGreaterThan(open); // the nodes go on meanwhile
      server = await startServer(env);
    }
    open = 120;
    await expectWhole(url, run, 120);
    await server.stop();
  });

  it("keeps what it cannot deliver for a minute without PostgreSQL, but not without bounds", async () => {
    const proxy = await startProxy(db.url);
    const server = await startServer({ DATABASE_URL: proxy.url, CLEANUP_CRON: "", HOST: "127.0.0.1" });
    const run = startRun(server.url, { nodes: 600, takesMs: 100, canvasPath: "outage.canvas" });
    await expect.poll(() => run.told.at(-1)?.completed).toBeGreaterThan(10);
    const before = run.told.at(-1)?.completed as number;
    await proxy.set("blackhole");
    await sleep(30_000);
    const begun = run.ran.size;
    await sleep(30_000);
    expect(run.ran.size).toBe(begun); // long since nothing new began
    expect(begun - before).toBeGreaterThan(200);
    expect(begun).toBeLessThan(before + 250);
    await proxy.set("pass");
    await expectWhole(server.url, run, 600);
    expect(run.undelivered()).toBeLessThanOrEqual(212);
    await server.stop();
    await proxy.close();
  });
});
