/** Batch sessions in GET /metrics: what they are now, and why they ended, whether or not somebody has tidied. */
import { beforeEach, describe, expect, it } from "vitest";
import { createLog } from "../../../src/log.ts";
import { createCounts } from "../../../src/metrics/counts.ts";
import { writeText } from "../../../src/metrics/metrics.ts";
import { batch } from "../../../src/sessions/batch/kind.ts";
import { selectBatchNumbers } from "../../../src/sessions/batch/upkeep-sql.ts";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { parseSamples } from "../../support/metrics.ts";
import { batchApi } from "./support/batch.ts";

const db = useDatabase();
const api = batchApi(useApp(db));
const none = { pending: 0, running: 0, pending_alone: 0, running_alone: 0, ended: {} };

beforeEach(async () => {
  await db.sql`TRUNCATE batch_sessions CASCADE`;
});

const read = async () => ({ ...(await selectBatchNumbers(db.database)) });

/** All that has happened to the run so far was so long ago. */
const age = (id: string, seconds: number) => db.sql`
  UPDATE batch_sessions SET created_at = created_at - ${seconds} * interval '1 second',
    started_at = started_at - ${seconds} * interval '1 second', completed_at = completed_at - ${seconds} * interval '1 second',
    last_report = last_report - ${seconds} * interval '1 second', worker_seen = worker_seen - ${seconds} * interval '1 second',
    not_over_before = not_over_before - ${seconds} * interval '1 second'
  WHERE session_id = ${id}`;

async function running(body: object = {}): Promise<string> {
  const id = await api.make(body);
  await api.claim(id, { worker: "w" });
  return id;
}

describe("the numbers of batch sessions", () => {
  it("are those that are not over, by their state", async () => {
    expect(await read()).toEqual(none);
    await api.make();
    await running();
    await running();
    await api.move(await api.make(), "running");
    expect(await read()).toEqual({ ...none, pending: 1, running: 3 });
  });

  it("name a worker gone a minute after its last call, and a run unclaimed a minute after it was made", async () => {
    const [waiting, claimed, unclaimed] = [await api.make(), await running(), await api.make()];
    await api.move(unclaimed, "running");
    for (const id of [waiting, claimed, unclaimed]) await age(id, 40);
    expect(await read()).toEqual({ ...none, pending: 1, running: 2 });
    for (const id of [waiting, claimed, unclaimed]) await age(id, 21);
    // Whoever never claims is not fenced, and not missed either.
    expect(await read()).toEqual({ ...none, pending: 1, running: 2, pending_alone: 1, running_alone: 1 });
    await api.progress(claimed, { attempt: 1 });
    await api.progress(unclaimed);
    expect(await read()).toEqual({ ...none, pending: 1, running: 2, pending_alone: 1 });
  });

  it("count a run whose time is over as ended, before and after somebody has ended it", async () => {
    const [live, silent, never, late] = [
      await running(),
      await running(),
      await api.make(),
      await running({ timeout_seconds: 60 }),
    ];
    await age(silent, 1801);
    await age(never, 1801);
    await age(late, 61);
    const expected = { ...none, running: 1, ended: { silence: 2, deadline: 1 } };
    expect(await read()).toEqual(expected);
    for (const id of [silent, never, late, live]) await api.read(id);
    expect(await read()).toEqual(expected);
  });

  it("have each ending of the last hour by why, and none that is older", async () => {
    const [reported, cancelled, operator, old] = [await running(), await running(), await running(), await running()];
    await api.complete(reported);
    await api.cancel(cancelled);
    await db.sql`SELECT force_batch_end(${operator}, NULL)`;
    await api.complete(old);
    await age(old, 3601);
    await age(reported, 3500);
    // Silent for so long that it was over more than an hour ago.
    await age(await running(), 3600 + 1801);
    expect(await read()).toEqual({ ...none, ended: { reported: 1, cancelled: 1, operator: 1 } });
  });

  it("credit a worker with an outage of ours", async () => {
    await age(await running(), 300);
    expect(await read()).toEqual({ ...none, running: 1, running_alone: 1 });
    await db.sql`
      UPDATE service_state SET last_tick = clock_timestamp(), gap_began = clock_timestamp() - interval '310 seconds',
                               gap_ended = clock_timestamp() - interval '10 seconds'`;
    expect(await read()).toEqual({ ...none, running: 1 });
    await db.sql`UPDATE service_state SET last_tick = NULL, gap_began = NULL, gap_ended = NULL`;
  });

  it("are exposed with every state and every reason, at zero too", async () => {
    await api.make();
    const opened = batch.open({
      settings: { silenceSeconds: 1800, retentionDays: 7, token: undefined },
      database: db.database,
      counts: createCounts(),
      log: createLog("silent"),
    });
    const text = await writeText([(await opened.readSamples?.()) ?? []]);
    const values = parseSamples(text).map(({ name, labels, value }) => `${name} ${Object.values(labels)} ${value}`);
    expect(values).toEqual([
      "keybeat_batch_sessions pending 1",
      "keybeat_batch_sessions running 0",
      "keybeat_batch_sessions_without_worker pending 0",
      "keybeat_batch_sessions_without_worker running 0",
      ...["reported", "cancelled", "silence", "deadline", "operator"].map(
        (reason) => `keybeat_batch_sessions_ended_last_hour ${reason} 0`,
      ),
    ]);
  });
});
