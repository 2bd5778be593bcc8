/** A follower of keybeat/batch against the real program. */
import { describe, expect, it } from "vitest";
import { type BatchState, followBatch } from "../../../src/client/batch/index.ts";
import type { Fetch } from "../../../src/client/platform.ts";
import { useDatabase } from "../../support/database.ts";
import { createRandom, cutStreams, shortTimers } from "../support/networks.ts";
import { nodeNames, useService } from "./support/service.ts";

const db = useDatabase();
const service = useService(db);
const code = (wanted: string) => expect.objectContaining({ name: "KeybeatError", code: wanted });
async function execute(groups: Record<string, string[]>): Promise<string> {
  const body = {
    canvas_path: "follow.canvas",
    groups: Object.entries(groups).map(([group_id, node_ids]) => ({ group_id, agent_type: "a", node_ids })),
  };
  const { status, body: made } = await service.send("POST", "/parallel/execute", body);
  expect(status).toBe(202);
  return made.session_id;
}

const create = async (node_count: number): Promise<string> =>
  (await service.post("", { canvas_path: "follow.canvas", node_count })).body.session_id;

function follow(id: string, options: { fetch?: Fetch; signal?: AbortSignal } = {}) {
  const told: BatchState[] = [];
  const ended = followBatch(id, {
    url: service.url,
    timers: shortTimers,
    ...options,
    onChange: (state) => told.push(state),
  });
  ended.catch(() => {});
  return { told, ended };
}

/** What GET says, in the words of a follower. */
async function standing(id: string): Promise<Partial<BatchState>> {
  const session = await service.read(id);
  const { groups } = (await service.send("GET", `/parallel/status/${id}`)).body;
  return {
    status: session.status,
    endedReason: session.ended_reason,
    errorMessage: session.error_message,
    attempt: session.attempt,
    worker: session.worker,
    counts: {
      completed: session.completed_nodes,
      failed: session.failed_nodes,
      skipped: session.skipped_nodes,
      total: session.node_count,
    },
    progress: session.progress_percent,
    message: session.message,
    groups: groups.map((group: Record<string, unknown>) => ({
      groupId: group.group_id,
      status: group.status,
      completed: group.completed_nodes,
      failed: (group.errors as unknown[]).length,
      total: group.total_nodes,
    })),
    nodes: session.node_results_truncated
      ? null
      : new Map(Object.entries(session.node_results).map(([node, { status, error }]) => [node, { status, error }])),
  } as Partial<BatchState>;
}

describe("followBatch", () => {
  it.each([1, 2])(
    "folds what it is told, over cut after cut of its stream, to what GET says, and resolves with the end (%i)",
    async (seed) => {
      const groups = { first: nodeNames(8), second: ["a/b", "__proto__", "ü"], third: ["late"] };
      const id = await execute(groups);
      const random = createRandom(seed);
      // The first event alone, how everything stands, has some kilobytes.
      const { fetch, cuts } = cutStreams(random, 9_000);
      const { told, ended } = follow(id, { fetch });
      await service.post(`/${id}/claim`, { worker: "one" });
      const nodes = [...groups.first, ...groups.second];
      for (let step = 0; step < 40; step++) {
        const node = nodes[Math.floor(random() * nodes.length)] as string;
        const status = ["success", "failed", "skipped"][Math.floor(random() * 3)];
        const body = status === "failed" ? { status, error: `at ${step}` } : { status, result: step };
        expect((await service.put(id, node, body)).status).toBe(200);
        if (step === 10) await service.post(`/${id}/progress`, { message: "a third", progress_percent: 33 });
        if (step === 30) await service.post(`/${id}/claim`, { worker: "two", on_conflict: "replace" });
        if (step % 20 !== 19) continue;
        const now = await standing(id);
        await expect.poll(() => told.at(-1)).toMatchObject(now);
        expect(told.at(-1)?.nodes).toEqual(now.nodes);
      }
      await service.post(`/${id}/${seed === 2 ? "cancel" : "complete"}`);
      const end = await ended;
      const now = await standing(id);
      expect(end).toMatchObject(now);
      expect(end.nodes).toEqual(now.nodes);
      expect(end).toBe(told.at(-1));
      expect(cuts()).toBeGreaterThan(1);
      expect(new Set(told).size).toBe(told.length); // each a new object, for pages that compare
    },
  );

  it("asks for one stream, and misses nothing of what happened while the service could not be reached", async () => {
    const id = await create(5);
    let away = false;
    let streams = 0;
    let hangUp = () => {};
    const { told, ended } = follow(id, {
      fetch: async (url, init) => {
        if (away) throw new TypeError("nobody there");
        if (!url.endsWith("/events")) return fetch(url, init);
        streams++;
        const abort = new AbortController();
        hangUp = () => abort.abort();
        return fetch(url, { ...init, signal: AbortSignal.any([abort.signal, init.signal as AbortSignal]) });
      },
    });
    await expect.poll(() => told.length).toBe(1);
    away = true;
    hangUp();
    for (const node of ["a", "b", "c"]) await service.put(id, node, { status: "success" });
    away = false;
    await expect.poll(() => told.at(-1)?.counts.completed).toBe(3);
    // Each change is told, not only the last.
    expect([...new Set(told.map(({ counts }) => counts.completed))]).toEqual([0, 1, 2, 3]);
    expect(streams).toBe(2);
    await service.post(`/${id}/cancel`, { reason: "enough" });
    expect(await ended).toMatchObject({ status: "cancelled", errorMessage: "enough" });
  });

  it("resolves at once for a run that is over, with what became of it since", async () => {
    const id = await create(3);
    await service.put(id, "a", { status: "failed", error: "x".repeat(2_000) });
    await service.post(`/${id}/cancel`);
    const resumed = (await service.post(`/${id}/resume`)).body.session_id;
    const state = await follow(id).ended;
    expect(state).toMatchObject({ status: "cancelled", endedReason: "cancelled", resumedAs: resumed });
    expect(state.nodes?.get("a")).toEqual({ status: "failed", error: "x".repeat(1_000) });
  });

  it("follows without groups where a proxy lets the sessions alone through", async () => {
    const id = await execute({ one: ["a"] });
    const { told, ended } = follow(id, {
      fetch: async (url, init) => (url.includes("/parallel/") ? new Response("no", { status: 404 }) : fetch(url, init)),
    });
    await expect.poll(() => told.length).toBe(1);
    await service.put(id, "a", { status: "success" });
    await service.post(`/${id}/cancel`);
    expect(await ended).toMatchObject({ status: "cancelled", counts: { completed: 1, total: 1 }, groups: [] });
  });

  it("keeps the counts alone where there are more nodes than a view shows", async () => {
    const id = await create(2_000);
    await db.sql`
      INSERT INTO batch_nodes (run, node_id, status, carried)
      SELECT s.run, 'n' || n, 'success', false FROM batch_sessions s, generate_series(1, 999) n WHERE s.session_id = ${id}`;
    const { told, ended } = follow(id);
    await expect.poll(() => told.at(-1)?.nodes?.size).toBe(999);
    for (const node of ["a", "b"]) await service.put(id, node, { status: "success" });
    await expect.poll(() => told.at(-1)).toMatchObject({ nodes: null, counts: { completed: 1001, total: 2_000 } });
    expect((await service.read(id)).node_results_truncated).toBe(true);
    await service.post(`/${id}/cancel`);
    await ended;
  });

  it("says so where there is no such run, or none any more, and stops when its app does", async () => {
    await expect(follow("00000000-0000-4000-8000-000000000000").ended).rejects.toEqual(code("session_not_found"));
    await expect(follow("no id/../at all").ended).rejects.toEqual(code("session_not_found"));
    await expect(followBatch("", { url: service.url })).rejects.toThrow(TypeError);

    const id = await create(3);
    const stop = new AbortController();
    const stopped = follow(id, { signal: stop.signal });
    const erased = follow(id);
    await expect.poll(() => [stopped.told.length, erased.told.length]).toEqual([1, 1]);
    stop.abort(new Error("the page is gone"));
    await expect(stopped.ended).rejects.toThrow("the page is gone");
    await db.sql`SELECT erase_batch(${id}::uuid)`;
    await expect(erased.ended).rejects.toEqual(code("session_not_found"));
  });
});
