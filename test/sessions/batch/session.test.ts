import { describe, expect, it } from "vitest";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { batchApi, outcome } from "./support/batch.ts";

const db = useDatabase();
const app = useApp(db);
const api = batchApi(app);

describe("a session", () => {
  it("has every field from the beginning, nulls and zeros included", async () => {
    const { status, body } = await api.create({ metadata: { course: 7, nothing: null } });
    expect(status).toBe(201);
    expect(body).toEqual({
      session_id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4/),
      canvas_path: "a.canvas",
      node_count: 3,
      status: "pending",
      created_at: expect.stringMatching(/\.\d{3}Z$/),
      updated_at: body.created_at,
      started_at: null,
      completed_at: null,
      progress_percent: 0,
      completed_nodes: 0,
      failed_nodes: 0,
      skipped_nodes: 0,
      node_results: {},
      node_results_truncated: false,
      error_message: null,
      metadata: { course: 7, nothing: null },
      attempt: 0,
      worker: null,
      message: null,
      ended_reason: null,
      silent_until: expect.any(String),
      deadline_at: null,
      resumed_from: null,
      resumed_as: null,
      estimated_completion: null,
    });
    expect(await api.read(body.session_id)).toEqual(body);
    expect(Date.parse(body.silent_until) - Date.parse(body.created_at)).toBe(1_800_000);
  });

  it("runs from a claim to its end, and says what its results say", async () => {
    const id = await api.make({ timeout_seconds: 3600 });
    const claimed = (await api.claim(id, { worker: "a" })).body;
    expect(claimed).toMatchObject({ status: "running", attempt: 1, worker: "a", node_results_truncated: true });
    expect(Date.parse(claimed.deadline_at) - Date.parse(claimed.started_at)).toBe(3_600_000);
    const times = { started_at: "2026-03-02T10:00:00+01:00", completed_at: "2026-03-02T09:00:02.5Z" };
    const first = await api.put(id, "one", { result: { pages: [1, null] }, ...times, attempt: 1 });
    expect(first.body).toEqual({
      node_id: "one",
      status: "success",
      result: { pages: [1, null] },
      error: null,
      started_at: "2026-03-02T09:00:00.000Z",
      completed_at: "2026-03-02T09:00:02.500Z",
      execution_time_ms: 2500,
      carried: false,
      duplicate: false,
    });
    expect((await api.put(id, "one", { result: { pages: [1, null] }, ...times })).body.duplicate).toBe(true);
    await api.put(id, "two/…", { status: "failed", error: "no such page" });
    expect(await api.read(id)).toMatchObject({
      progress_percent: 66.66,
      completed_nodes: 1,
      failed_nodes: 1,
      node_results: { one: { status: "success" }, "two/…": { status: "failed", error: "no such page" } },
      estimated_completion: expect.any(String),
    });
    await api.put(id, "three", "skipped");
    expect((await api.complete(id, { attempt: 1 })).body).toMatchObject({
      status: "partial_failure",
      ended_reason: "reported",
      progress_percent: 100,
      completed_nodes: 1,
      failed_nodes: 1,
      skipped_nodes: 1,
      completed_at: expect.any(String),
      silent_until: null,
      estimated_completion: null,
    });
    expect(outcome(await api.put(id, "four"))).toBe("409 session_over");
    expect((await api.progress(id)).body).toMatchObject({
      code: "session_over",
      status: "partial_failure",
      attempt: 1,
    });
    expect((await api.complete(id)).body).toMatchObject({ code: "session_over", ended_reason: "reported" });
    expect((await api.move(id, "completed")).body).toMatchObject({
      code: "invalid_transition",
      from: "partial_failure",
      to: "completed",
      status: "partial_failure",
      ended_reason: "reported",
    });
  });
});

describe("a worker", () => {
  it("keeps the run while it is heard of, and is told when another has taken it", async () => {
    const id = await api.make();
    await api.claim(id, { worker: "a" });
    const held = await api.claim(id, { worker: "b" });
    expect(outcome(held)).toBe("409 claimed");
    expect(held.body.holder).toMatchObject({ worker: "a", attempt: 1 });
    expect((await api.claim(id, { worker: "a" })).body.attempt).toBe(2);
    expect((await api.claim(id, { worker: "b", on_conflict: "replace" })).body.attempt).toBe(3);
    const lost = await api.put(id, "one", { attempt: 2 });
    expect(outcome(lost)).toBe("409 attempt_replaced");
    expect(lost.body.holder).toMatchObject({ worker: "b", attempt: 3 });
    expect(outcome(await api.put(id, "one", { attempt: 4 }))).toBe("400 invalid_request");
    expect(outcome(await api.put(id, "one"))).toBe("200");
    await db.sql`UPDATE batch_sessions SET worker_seen = worker_seen - interval '61 seconds' WHERE session_id = ${id}`;
    expect((await api.claim(id)).body).toMatchObject({ attempt: 4, worker: null });
  });
});

describe("the published view", () => {
  it("shows the same session in its own words", async () => {
    const groups = [
      { group_id: 1, agent_type: "writer", node_ids: ["a", "b"] },
      { group_id: "figures", agent_type: "painter", node_ids: ["c"] },
    ];
    const made = await api.execute({ canvas_path: "x.canvas", groups });
    expect(made.status).toBe(202);
    const id = made.body.task_id;
    expect((await api.status(id)).body).toMatchObject({ status: "pending", total_groups: 2, total_nodes: 3 });
    await api.claim(id);
    await api.put(id, "a", { result: { file_path: "a.md", file_size: 3 } });
    await api.put(id, "b", "skipped");
    await api.put(id, "c", { status: "failed", error: "no such colour" });
    expect(outcome(await api.put(id, "d"))).toBe("409 unknown_node");
    await api.complete(id);
    const { body } = await api.status(id);
    expect(body).toMatchObject({ status: "partial_failure", completed_groups: 2, completed_nodes: 1, failed_nodes: 1 });
    expect(body.groups).toEqual([
      {
        group_id: 1,
        status: "completed",
        agent_type: "writer",
        completed_nodes: 1,
        total_nodes: 2,
        results: [{ node_id: "a", file_path: "a.md" }],
        errors: [],
      },
      {
        group_id: "figures",
        status: "failed",
        agent_type: "painter",
        completed_nodes: 0,
        total_nodes: 1,
        results: [],
        errors: [{ node_id: "c", error_message: "no such colour" }],
      },
    ]);
    expect(body.performance_metrics).toMatchObject({ peak_concurrent: null, average_duration_per_node: null });
    const over = await api.send("DELETE", `/parallel/cancel/${id}`);
    expect(over.body).toEqual({
      error: over.body.message,
      message: expect.any(String),
      code: "session_over",
      details: { status: "partial_failure", ended_reason: "reported", error_message: null, attempt: 1 },
      request_id: expect.any(String),
    });
  });
});

describe("resume", () => {
  it("carries every success, asks only for the rest, and leaves the old run as it ended", async () => {
    const id = await api.make({ metadata: { a: 1 } });
    await api.claim(id);
    await api.put(id, "one", { result: "kept" });
    await api.put(id, "two", "failed");
    expect(outcome(await api.resume(id))).toBe("409 not_resumable");
    expect((await api.cancel(id, { reason: "wrong course" })).body).toMatchObject({
      success: true,
      completed_count: 1,
    });
    const before = await api.read(id);
    const [first, second] = await Promise.all([api.resume(id), api.resume(id)]);
    expect([first.status, second.status].sort()).toEqual([200, 201]);
    expect(first.body.session_id).toBe(second.body.session_id);
    const resumed = await api.read(first.body.session_id);
    expect(resumed).toMatchObject({ status: "pending", resumed_from: id, metadata: { a: 1 }, completed_nodes: 1 });
    expect(resumed.node_results).toEqual({ one: { ...before.node_results.one, carried: true } });
    expect(await api.read(id)).toEqual({ ...before, resumed_as: resumed.session_id });
  });
});
