import { describe, expect, it } from "vitest";
import { batchReply } from "../../../src/admin/batch/contract.ts";
import { batchApi, outcome } from "../../sessions/batch/support/batch.ts";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { byToken, exactly, readAll } from "../support/admin.ts";

const db = useDatabase();
const app = useApp(db);
const batch = batchApi(app);
const admin = () => byToken(app);
const found = async (query: Record<string, string>) => {
  const runs = await readAll((cursor) =>
    admin().get(`/batch?${new URLSearchParams({ limit: "2", ...query })}${cursor}`),
  );
  return runs.map(({ session_id }) => session_id);
};

describe("the operator's list of batch sessions", () => {
  it("finds by the id in whatever spelling, by the beginning of the path, and by the status, newest first", async () => {
    const first = await batch.make({ canvas_path: "found/100%_a.canvas" });
    const second = await batch.make({ canvas_path: "found/b.canvas" });
    // What is worked on may be named by an id too.
    const third = await batch.make({ canvas_path: first });
    const fourth = await batch.make({ canvas_path: "Found/b.canvas" });
    await batch.cancel(second);
    expect(await found({ search: first })).toEqual([third, first]);
    expect(await found({ search: second.toUpperCase() })).toEqual([second]);
    expect(await found({ search: "found/" })).toEqual([second, first]);
    expect(await found({ search: "found/100%_" })).toEqual([first]);
    expect(await found({ search: "found/%" })).toEqual([]);
    expect(await found({ search: "found/", status: "pending" })).toEqual([first]);
    expect((await found({ search: "" })).slice(0, 4)).toEqual([fourth, third, second, first]);
    expect((await admin().get("/batch?status=late")).status).toBe(400);
    expect((await admin().get(`/batch?search=${"a".repeat(501)}`)).status).toBe(400);
  });
});

describe("a batch session's nodes for operators", () => {
  const made = async () => {
    const { body } = await batch.execute({
      canvas_path: "groups.canvas",
      groups: [
        { group_id: "texts", agent_type: "writer", node_ids: ["t1", "t2"] },
        { group_id: 7, agent_type: "painter", node_ids: ["f1"] },
      ],
    });
    const id: string = body.session_id;
    await batch.claim(id, { worker: "w" });
    await batch.put(id, "t1", { result: { large: "x".repeat(2_000) } });
    await batch.put(id, "f1", { status: "failed", error: "é".repeat(1_001), result: "half" });
    return id;
  };

  it("say their group, and on demand neither results nor the whole of a long error", async () => {
    const id = await made();
    const { body } = await admin().get(`/batch/${id}/nodes`);
    expect(body.nodes.map((node: { node_id: string; group_id: unknown }) => [node.node_id, node.group_id])).toEqual([
      ["f1", 7],
      ["t1", "texts"],
      ["t2", "texts"],
    ]);
    expect(body.nodes[0]).toMatchObject({ error: "é".repeat(1_001), result: "half" });
    expect(body.nodes[1].result.large).toHaveLength(2_000);
    const brief = (await admin().get(`/batch/${id}/nodes?results=false`)).body.nodes;
    expect(brief[0]).toMatchObject({ status: "failed", error: "é".repeat(1_000), result: null, group_id: 7 });
    expect(brief[1]).toEqual({ ...body.nodes[1], result: null });
    const failed = await admin().get(`/batch/${id}/nodes?results=false&status=failed`);
    expect(failed.body.nodes).toEqual([brief[0]]);
    expect((await admin().get(`/batch/${id}/nodes?results=some`)).status).toBe(400);
  });

  it("have no group where the session has none, and stay without one for clients", async () => {
    const id = await batch.make();
    await batch.put(id, "n1");
    const [node] = (await admin().get(`/batch/${id}/nodes`)).body.nodes;
    expect([node.node_id, "group_id" in node]).toEqual(["n1", false]);
    const asClient = await batch.send("GET", `/batch/sessions/${await made()}/nodes`);
    expect(asClient.body.nodes.map((node: object) => "group_id" in node)).toEqual([false, false, false]);
  });

  it("count up to the groups, which are as the run is", async () => {
    const id = await made();
    const { groups } = exactly(batchReply, (await admin().get(`/batch/${id}`)).body);
    expect(
      groups.map(({ group_id, status, completed_nodes, failed_nodes }) => [
        group_id,
        status,
        completed_nodes,
        failed_nodes,
      ]),
    ).toEqual([
      ["texts", "running", 1, 0],
      [7, "failed", 0, 1],
    ]);
  });
});

describe("what operators do to a batch session", () => {
  it("is in the audit log, with the run and the reason; a refused act is not", async () => {
    const id = await batch.make();
    await batch.claim(id);
    expect(outcome(await admin().post(`/batch/${id}/end`, { reason: "its host is gone" }))).toBe("200");
    expect(outcome(await admin().post(`/batch/${id}/cancel`, { reason: "late" }))).toBe("409 session_over");
    expect(outcome(await admin().post(`/batch/${id}/resume`))).toBe("201");
    expect(outcome(await admin().post(`/batch/${id}/resume`))).toBe("200");
    const told = async () =>
      (await admin().get("/audit")).body.items.map((item: { action: string; details: unknown }) => [
        item.action,
        item.details,
      ]);
    const ended = { batch_session_id: id, reason: "its host is gone" };
    expect((await told()).slice(0, 2)).toEqual([
      ["batch_resumed", { batch_session_id: id }],
      ["batch_ended", ended],
    ]);
    expect(outcome(await admin().send("DELETE", `/batch/${id}`))).toBe("200");
    expect((await told()).slice(0, 3)).toEqual([
      ["batch_erased", null],
      ["batch_resumed", null],
      ["batch_ended", null],
    ]);
    expect(outcome(await admin().get(`/batch/${id}`))).toBe("404 session_not_found");
    expect(outcome(await admin().get(`/batch/${id}/nodes`))).toBe("404 session_not_found");
  });
});
