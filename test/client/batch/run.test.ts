/** A worker of keybeat/batch against the real program. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import {
  type BatchProgress,
  KeybeatError,
  type NodeContext,
  type RunOptions,
  runBatch,
} from "../../../src/client/batch/index.ts";
import type { BatchNode } from "../../../src/client/batch/options.ts";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { nodeNames, untilAborted, useService } from "./support/service.ts";

const db = useDatabase();
const service = useService(db);
const TOKEN = "a-token-of-the-batch-sessions-for-tests";
const guarded = useApp(db, { env: { BATCH_AUTH: "token", BATCH_TOKEN: TOKEN } });

let paths = 0;
const newPath = () => `worker ${++paths}.canvas`;
type Options = Partial<RunOptions<string>> & Pick<RunOptions<string>, "run">;
const runOf = (options: Options) =>
  runBatch({ url: service.url, canvasPath: newPath(), nodes: nodeNames(3), endOnSignals: false, ...options } as never);
const code = (wanted: string) => expect.objectContaining({ name: "KeybeatError", code: wanted });

/** A worker whose nodes wait until they are stopped, and the run that it has. */
async function startWaiting(options: Partial<RunOptions<string>> = {}) {
  const canvasPath = newPath();
  const reasons: KeybeatError[] = [];
  let started = 0;
  const outcome = runOf({
    canvasPath,
    ...options,
    async run(_: string, { signal }: NodeContext) {
      started++;
      await untilAborted(signal).catch((reason) => reasons.push(reason));
    },
  } as never);
  outcome.catch(() => {});
  await expect.poll(() => started).toBe(3);
  const { session_id: id } = await service.only(canvasPath);
  return { id, outcome, reasons };
}

describe("runBatch", () => {
  it("works through every node, stores what each returns, and ends the run as completed", async () => {
    const nodes = [...nodeNames(20), "a/b", "ü?#%2F", "__proto__", "🙂".repeat(500)];
    const told: BatchProgress[] = [];
    const outcome = await runOf({
      nodes,
      metadata: { by: "a test" },
      worker: "one",
      onProgress: (progress) => told.push(progress),
      run: async (node, { attempt }) => ({ of: node, attempt }),
    });
    expect(outcome).toEqual({
      sessionId: outcome.sessionId,
      status: "completed",
      endedReason: "reported",
      errorMessage: null,
      completed: 24,
      failed: 0,
      skipped: 0,
    });
    const stored = await service.nodes(outcome.sessionId);
    expect(stored.map(({ node_id }) => node_id).sort()).toEqual([...nodes].sort());
    for (const node of stored) {
      expect(node).toMatchObject({ status: "success", result: { of: node.node_id, attempt: 1 } });
      expect(node.execution_time_ms).toBeGreaterThanOrEqual(0);
    }
    expect(await service.read(outcome.sessionId)).toMatchObject({ worker: "one", metadata: { by: "a test" } });
    expect(told[0]).toMatchObject({ completed: 0, total: 24 });
    expect(told.at(-1)).toEqual({ completed: 24, failed: 0, skipped: 0, total: 24, running: 0, undelivered: 0 });
  });

  it("a run without nodes is completed", async () => {
    expect(await runOf({ nodes: [], run: () => {} })).toMatchObject({ status: "completed", completed: 0 });
  });

  it("a node that throws, or gives what cannot be kept, is failed with the reason, and the others go on", async () => {
    const circular: unknown[] = [];
    circular.push(circular);
    const results: Record<string, () => unknown> = {
      good: () => undefined,
      error: () => Promise.reject(new Error("no such page")),
      text: () => Promise.reject("a text\0"),
      nothing: () => Promise.reject(Object.create(null)),
      circular: () => circular,
      large: () => "x".repeat(256 * 1024),
      nul: () => ({ deep: ["a\0b"] }),
    };
    const nodes = [...Object.keys(results).map((id) => ({ id })), { id: "skipped" }];
    const outcome = await runOf({
      nodes,
      run: ({ id }: { id: string }, { skip }: { skip(why: string): never }) => {
        if (id === "skipped") skip("nothing to do");
        return results[id]?.();
      },
    } as never);
    expect(outcome).toMatchObject({ status: "partial_failure", completed: 1, failed: 6, skipped: 1 });
    const stored = await service.nodes(outcome.sessionId);
    const said = Object.fromEntries(stored.map(({ node_id, status, error }) => [node_id, `${status}: ${error}`]));
    expect(said).toEqual({
      good: "success: null",
      error: "failed: no such page",
      text: "failed: a text",
      nothing: "failed: failed without a message",
      circular: expect.stringMatching(/^failed: .*circular/),
      large: expect.stringMatching(/^failed: the result has \d+ bytes, more than may be kept/),
      nul: expect.stringMatching(/^failed: the result cannot be kept: .*NUL/),
      skipped: "skipped: nothing to do",
    });
  });

  it("runs twelve nodes at once, and never more", async () => {
    let running = 0;
    let most = 0;
    let open = () => {};
    const twelve = new Promise<void>((resolve) => {
      open = resolve;
    });
    const outcome = await runOf({
      nodes: nodeNames(40),
      async run() {
        most = Math.max(most, ++running);
        if (running === 12) open();
        await twelve; // fewer at once never get further
        await sleep(5);
        running--;
      },
    });
    expect([outcome.completed, most]).toEqual([40, 12]);
  });

  it("stops every node when the run is cancelled, long before its next sign of life is due", async () => {
    const { id, outcome, reasons } = await startWaiting();
    const cancelledAt = performance.now();
    await service.post(`/${id}/cancel`, { reason: "enough" });
    await expect.poll(() => reasons.length).toBe(3);
    expect(performance.now() - cancelledAt).toBeLessThan(10_000); // 18 s to the next one at least
    expect(reasons[0]).toEqual(code("session_over"));
    expect(reasons[0]?.data).toMatchObject({ status: "cancelled", ended_reason: "cancelled" });
    expect(await outcome).toMatchObject({
      sessionId: id,
      status: "cancelled",
      endedReason: "cancelled",
      errorMessage: "enough",
    });
  });

  it("learns of a cancel by its own call where no event stream gets through", async () => {
    const canvasPath = newPath();
    let finish = () => {};
    const reasons: unknown[] = [];
    const outcome = runOf({
      canvasPath,
      fetch: (url, init) => (url.endsWith("/events") ? Promise.reject(new TypeError("blocked")) : fetch(url, init)),
      run: (node, { signal }) =>
        node === "node 0"
          ? new Promise<void>((resolve) => {
              finish = resolve;
            })
          : untilAborted(signal).catch((reason) => void reasons.push(reason)),
    });
    await expect.poll(() => service.only(canvasPath).catch(() => undefined)).toMatchObject({ status: "running" });
    const { session_id } = await service.only(canvasPath);
    await service.post(`/${session_id}/cancel`);
    finish();
    expect(await outcome).toMatchObject({ status: "cancelled", completed: 0 });
    expect(reasons).toEqual([code("session_over"), code("session_over")]);
  });

  it("ends as the service says when the run is past its limit", async () => {
    const { id, outcome, reasons } = await startWaiting({ timeoutSeconds: 60 });
    await db.sql`UPDATE batch_sessions SET started_at = started_at - interval '61 seconds' WHERE session_id = ${id}`;
    await service.read(id);
    expect(await outcome).toMatchObject({ status: "failed", endedReason: "deadline" });
    expect(reasons.map(({ data }) => data.ended_reason)).toEqual(["deadline", "deadline", "deadline"]);
  });

  it("is refused a run that another worker has, and stops the other where it takes it over on purpose", async () => {
    const first = await startWaiting({ worker: "first" });
    const take = (onConflict: "refuse" | "replace") =>
      runOf({ resume: first.id, worker: "second", onConflict, run: (_, { attempt }) => attempt });
    const refused = await take("refuse").catch((error) => error);
    expect(refused).toEqual(code("claimed"));
    expect(refused.data.holder).toMatchObject({ worker: "first", attempt: 1 });
    expect(await take("replace")).toMatchObject({ sessionId: first.id, status: "completed", completed: 3 });
    const lost = await first.outcome.catch((error) => error);
    expect(lost).toEqual(code("attempt_replaced"));
    expect(lost.data.holder).toMatchObject({ worker: "second", attempt: 2 });
    expect(first.reasons).toEqual([lost, lost, lost]);
    expect((await service.nodes(first.id)).map(({ result }) => result)).toEqual([2, 2, 2]);
  });

  it("resumes a run with the nodes alone that have no success, and does nothing with a completed one", async () => {
    const nodes = nodeNames(150);
    const bad = new Set(["node 7", "node 77", "node 140"]);
    const first = await runOf({
      nodes,
      run: (node) => {
        if (bad.has(node)) throw new Error("not today");
      },
    });
    expect(first).toMatchObject({ status: "partial_failure", completed: 147, failed: 3 });
    const ran: string[] = [];
    const told: BatchProgress[] = [];
    const again = { nodes, resume: first.sessionId, run: (node: string) => void ran.push(node) };
    const second = await runOf({ ...again, onProgress: (progress: BatchProgress) => told.push(progress) } as never);
    expect(second).toMatchObject({ status: "completed", completed: 150, failed: 0 });
    expect(second.sessionId).not.toBe(first.sessionId);
    expect(ran.sort()).toEqual([...bad].sort());
    expect(told[0]).toMatchObject({ completed: 147, failed: 0 });
    // By the id of the first one too, as a script that is started again would.
    expect(await runOf(again as never)).toEqual(second);
    expect(ran).toHaveLength(3);
  });

  it("stops by its app's signal: brings in what is done, and leaves the run cancelled, to be resumed", async () => {
    const canvasPath = newPath();
    const stop = new AbortController();
    const outcome = runOf({
      canvasPath,
      signal: stop.signal,
      run: async (node, { signal }) => {
        if (node === "node 0") return "done";
        if (node === "node 1") return untilAborted(signal).catch(() => "done in the last moment");
        return untilAborted(signal);
      },
    });
    await expect.poll(() => service.only(canvasPath).catch(() => undefined)).toMatchObject({ completed_nodes: 1 });
    stop.abort();
    const { sessionId, ...ended } = await outcome;
    expect(ended).toMatchObject({ status: "cancelled", endedReason: "cancelled", completed: 2, failed: 0 });
    expect(ended.errorMessage).toMatch(/stopped/);
    const ran: string[] = [];
    expect(await runOf({ resume: sessionId, run: (node) => void ran.push(node) })).toMatchObject({ completed: 3 });
    expect(ran).toEqual(["node 2"]);
  });

  it("stores each result once, and makes one run, though answers are lost after their calls were carried out", async () => {
    const canvasPath = newPath();
    const lost = new Map<string, number>();
    let calls = 0;
    const outcome = await runOf({
      canvasPath,
      nodes: nodeNames(60),
      random: () => 0,
      fetch: async (url, init) => {
        const kind = `${init.method} ${new URL(url).pathname.split("/")[6] ?? "sessions"}`;
        // The first answer of each kind, and one of eight of all.
        const drop = !url.endsWith("/events") && (!lost.has(kind) || calls++ % 8 === 0);
        if (drop) lost.set(kind, (lost.get(kind) ?? 0) + 1);
        const response = await fetch(url, init);
        if (!drop) return response;
        await response.text();
        throw new TypeError("the connection was cut");
      },
      run: (node) => node,
    });
    expect([...lost.keys()]).toEqual(
      expect.arrayContaining(["POST sessions", "POST claim", "PUT nodes", "POST complete"]), // a fast run has no beat
    );
    expect(lost.get("PUT nodes")).toBeGreaterThan(3);
    expect(outcome).toMatchObject({ status: "completed", endedReason: "reported", completed: 60 });
    expect(await service.only(canvasPath)).toMatchObject({ session_id: outcome.sessionId, attempt: 2 });
    const stored = await service.nodes(outcome.sessionId);
    expect(stored).toHaveLength(60);
    for (const { node_id, result } of stored) expect(result).toBe(node_id);
    const told = await db.sql`SELECT count(*)::int AS n FROM batch_events e JOIN batch_sessions s USING (run)
                              WHERE s.session_id = ${outcome.sessionId} AND e.event = 'node_complete'`;
    expect(told[0]?.n).toBe(60);
  });

  it("says so where the nodes are not those of the run, and leaves it ended", async () => {
    const id = (await service.post("", { canvas_path: newPath(), node_count: 2 })).body.session_id;
    await service.put(id, "somebody's", { status: "success" });
    await expect(runOf({ resume: id, run: () => {} })).rejects.toEqual(code("too_many_nodes"));
    const outcome = runOf({ resume: id, nodes: nodeNames(2), concurrency: 1, run: () => {} });
    await expect(outcome).rejects.toEqual(code("too_many_nodes"));
    expect(await service.read(id)).toMatchObject({ status: "completed", completed_nodes: 2 });
  });

  it("sends its token, and says so where it has none", async () => {
    const options = { url: guarded.url, canvasPath: newPath(), nodes: ["one"], run: () => {}, endOnSignals: false };
    await expect(runBatch(options)).rejects.toEqual(code("unauthorized"));
    expect(await runBatch({ ...options, token: TOKEN })).toMatchObject({ status: "completed" });
  });

  it("says at once what cannot work", async () => {
    const missing = "00000000-0000-4000-8000-000000000000";
    await expect(runOf({ resume: missing, run: () => {} })).rejects.toEqual(code("session_not_found"));
    await expect(runOf({ url: "http://127.0.0.1:1", run: () => {} })).rejects.toEqual(code("unreachable"));
    const stopped = AbortSignal.abort(new Error("too late"));
    await expect(runOf({ signal: stopped, run: () => {} })).rejects.toThrow("too late");
  });
});

describe("wrong options of runBatch", () => {
  const right = { url: "https://keys.example.com", canvasPath: "a", nodes: ["a"], run: () => {} };
  it.each<[string, object, RegExp]>([
    ["no URL", { url: undefined }, /url must be as in/],
    ["no function", { run: undefined }, /run must be a function/],
    ["no path", { canvasPath: undefined }, /canvasPath must have/],
    ["too long a path", { canvasPath: "x".repeat(501) }, /canvasPath must have/],
    ["no nodes", { nodes: undefined }, /nodes must be an array/],
    ["too many nodes", { nodes: { length: 1 } }, /nodes must be an array/],
    ["a node twice", { nodes: ["a", { id: "a" }] }, /nodes\[1\] must not be there twice: a/],
    ["a node without an id", { nodes: ["a", {}] }, /nodes\[1\] must be an id/],
    ["a blank node", { nodes: [" "] }, /nodes\[0\] must be an id/],
    ["null for a node", { nodes: [null] }, /nodes\[0\] must be an id/],
    ["a node that no address can name", { nodes: [".."] }, /which no address can name/],
    ["half a character", { nodes: ["\ud800"] }, /nodes\[0\] must be an id/],
    ["too long a node", { nodes: ["x".repeat(501)] }, /nodes\[0\] must be an id/],
    ["none at once", { concurrency: 0 }, /concurrency must be a whole number/],
    ["half of one at once", { concurrency: 1.5 }, /concurrency must be a whole number/],
    ["too short a time", { timeoutSeconds: 59 }, /timeoutSeconds must be/],
    ["too long a time", { timeoutSeconds: 86_401 }, /timeoutSeconds must be/],
    ["an unknown way", { onConflict: "ask" }, /onConflict must be/],
    ["an empty id", { resume: "" }, /resume must be/],
    ["a nameless worker", { worker: "" }, /worker must have/],
    ["a token that no header can carry", { token: "a\nb" }, /token must be/],
    ["metadata that is a list", { metadata: [] }, /metadata must be an object/],
  ])("%s is a TypeError that says what to write", async (_, wrong, message) => {
    const error = await runBatch<BatchNode>({ ...right, ...wrong } as never).catch((caught) => caught);
    expect(error).toBeInstanceOf(TypeError);
    expect(error).not.toBeInstanceOf(KeybeatError);
    expect(error.message).toMatch(message);
  });
});
