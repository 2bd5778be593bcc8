import { describe, expect, it } from "vitest";
import { ADMIN_TOKEN, useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { batchApi } from "./support/batch.ts";
import { follow, type Told } from "./support/follow.ts";

const db = useDatabase();
const app = useApp(db);
const api = batchApi(app);

const names = (told: Told[]) => told.filter(({ id }) => id !== undefined).map(({ event }) => event);

describe("a follower", () => {
  it("is told of every change from now on, in order, the latest progress before the end", async () => {
    const id = await api.make();
    await api.claim(id, { worker: "before" });
    const following = await follow(app, id);
    await api.put(id, "one");
    await api.put(id, "one"); // the same again is no event
    await api.put(id, "two", { status: "failed", error: "no such page" });
    await api.progress(id, { progress_percent: 150, message: "nearly" });
    await api.complete(id);
    await following.ended;
    expect(names(following.told)).toEqual(["node_complete", "node_complete", "complete"]);
    expect(following.told.at(-2)).toMatchObject({
      id: undefined,
      event: "progress",
      data: { data: { progress_percent: 100, message: "nearly", completed_nodes: 1, failed_nodes: 1, total_nodes: 3 } },
    });
    expect(following.told.at(-1)).toMatchObject({
      id: 4,
      data: {
        type: "complete",
        task_id: id,
        data: { status: "partial_failure", ended_reason: "reported", success_count: 1, failure_count: 1 },
      },
    });
  });

  it("that comes back gets what it has missed, once and in order, also after the end", async () => {
    const id = await api.make({ node_count: 30 });
    for (let node = 0; node < 30; node++) await api.put(id, `node ${node}`);
    await api.cancel(id);
    for (const last of [0, 7, 30]) {
      const { told, ended } = await follow(app, id, last);
      await ended;
      expect(told.map((event) => event.id)).toEqual(Array.from({ length: 31 - last }, (_, at) => last + 1 + at));
    }
    expect((await follow(app, id, 31)).status).toBe(204);
  });

  it("that comes after the end is told of it, and what became of the run since", async () => {
    const id = await api.make();
    await api.cancel(id, { reason: "enough" });
    const resumed = (await api.resume(id)).body.session_id;
    const { told, ended } = await follow(app, id);
    await ended;
    expect(told).toMatchObject([{ event: "complete", data: { data: { status: "cancelled", resumed_as: resumed } } }]);
  });

  it.each(["99", "-1", "of another service"])(
    "that names an event that never was (%s) begins with all",
    async (last) => {
      const id = await api.make();
      await api.put(id, "one");
      const { told, ended } = await follow(app, id, last);
      await api.put(id, "two");
      await api.cancel(id);
      await ended;
      expect(names(told)).toEqual(["reset", "node_complete", "complete"]);
      expect(told.map((event) => event.id).filter(Boolean)).toEqual([1, 2, 3]);
      expect(told[0]?.data.data).toMatchObject({ session_id: id, node_results: { one: { status: "success" } } });
    },
  );

  it("is told of a silent end, though nobody calls and nothing tidies", async () => {
    const id = await api.make();
    await api.claim(id);
    await db.sql`UPDATE batch_sessions SET last_report = last_report - interval '1799 seconds' WHERE session_id = ${id}`;
    const { told, ended } = await follow(app, id);
    await ended;
    expect(told.at(-1)?.data.data).toMatchObject({
      status: "failed",
      ended_reason: "silence",
      error_message: "no sign of life for 30 minutes",
    });
  });

  it("of an erased session is sent away", async () => {
    const id = await api.make();
    const { told, ended } = await follow(app, id);
    const erased = await app.fetch(
      new Request(`http://localhost/api/admin/batch/${id}`, {
        method: "DELETE",
        headers: { Authorization: `Bearer ${ADMIN_TOKEN}` },
      }),
    );
    expect(await erased.json()).toEqual({ success: true });
    await ended;
    expect(told).toEqual([]);
    expect((await follow(app, id)).status).toBe(404);
  });
});
