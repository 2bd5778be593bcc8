/** Python apps that follow a batch run. */
import { expect, it } from "vitest";
import { describeWithPython, python, usePython } from "./support/app.ts";
import { BATCH, type Carried, carry, useBatchService } from "./support/batch.ts";
import { useServers } from "./support/servers.ts";

usePython();

const FOLLOW = `${BATCH}
nodes, counts, states, first = {}, [], 0, None
for state in follow_batch(url, key):
    states += 1
    if first is None:
        first = dict(state, node_results=dict(state["node_results"]))
        say("first", state=first)
    counts.append(state["completed_nodes"] + state["failed_nodes"] + state["skipped_nodes"])
say("end", state=state, counts=counts)`;

describeWithPython("a Python app that follows a batch run", () => {
  const service = useBatchService();
  const { listen } = useServers();
  const call = (path: string, body: object = {}) => service.server.post(`/api/v1/batch/sessions${path}`, body);
  const put = async (id: string, node: string, status: string, attempt?: number) =>
    fetch(`${service.url}/api/v1/batch/sessions/${id}/nodes/${node}`, {
      method: "PUT",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ status, error: status === "failed" ? "no such page" : null, attempt }),
    });
  const outline = (node_results: Record<string, { status: string; error: string | null; carried: boolean }>) =>
    Object.fromEntries(Object.entries(node_results).map(([name, { status, error }]) => [name, [status, error]]));

  it("sees every change, without a gap or a step back, over a hundred cuts, and at the end what is there", async () => {
    let cuts = 0;
    let seed = 12345;
    const random = (below: number) => {
      seed = (seed * 1103515245 + 12345) % 2 ** 31;
      return seed % below;
    };
    const decide = (): Carried => (cuts++ < 100 ? (cuts === 1 ? 5_000 : 200 + random(1_000)) : "pass");
    const [, url] = await listen(carry(service.url, decide));
    const { session_id: id } = (await call("", { canvas_path: "a.canvas", node_count: 300, metadata: { a: 1 } })).body;
    await put(id, "before", "success");
    const app = python(FOLLOW, [url, id]);
    expect((await app.next("first")).state).toMatchObject({
      status: "pending",
      completed_nodes: 1,
      metadata: { a: 1 },
    });
    await call(`/${id}/claim`, { worker: "worker-a" });
    for (let node = 1; node < 300; node++) {
      await put(id, `n${node}`, node % 10 === 0 ? "failed" : node % 10 === 1 ? "skipped" : "success", 1);
    }
    await call(`/${id}/progress`, { message: "nearly", attempt: 1 });
    await expect.poll(() => cuts, { timeout: 170_000 }).toBeGreaterThan(100);
    await call(`/${id}/complete`, { attempt: 1 });
    const end = await app.next("end");
    await app.ended();
    const { node_results, updated_at, ...session } = await service.read(id);
    expect(end.state).toMatchObject(session);
    expect(outline(end.state.node_results)).toEqual(outline(node_results));
    // Each result is one change of the counts.
    expect([...new Set(end.counts)]).toEqual(Array.from({ length: 300 }, (_, at) => at + 1));
    expect(end.counts).toEqual([...end.counts].sort((a: number, b: number) => a - b));
  });

  it("that comes after the end is told how it ended, and hears of a run that is not there", async () => {
    const { session_id: id } = (await call("", { canvas_path: "a.canvas", node_count: 3 })).body;
    await put(id, "one", "success");
    await call(`/${id}/cancel`, { reason: "enough" });
    const { session_id: resumed } = (await call(`/${id}/resume`)).body;
    const app = python(FOLLOW, [service.url, id]);
    expect((await app.next("end")).state).toMatchObject({
      status: "cancelled",
      ended_reason: "cancelled",
      error_message: "enough",
      resumed_as: resumed,
      node_results: { one: { status: "success" } },
    });
    await app.ended();
    const nowhere = python(
      `${BATCH}
try:
    list(follow_batch(url, key))
except BatchError as error:
    say("lost", code=error.code)`,
      [service.url, "0b9f5f0e-52c3-4a8e-9d55-0d2f8f5f9a10"],
    );
    expect(await nowhere.next("lost")).toMatchObject({ code: "session_not_found" });
    await nowhere.ended();
  });

  it("may look away at any time, which leaves nothing open", async () => {
    const { session_id: id } = (await call("", { canvas_path: "a.canvas", node_count: 3 })).body;
    const app = python(
      `${BATCH}
for state in follow_batch(url, key):
    break
say("left", threads=threading.active_count())`,
      [service.url, id],
    );
    expect(await app.next("left")).toMatchObject({ threads: 1 });
    await app.ended();
  });
});
