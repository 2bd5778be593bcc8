/** BATCH_SILENCE_SECONDS is made shorter: with the cleanup off everybody who looks agrees with who reads one run. */
import { beforeEach, describe, expect, it } from "vitest";
import { createLog } from "../../../src/log.ts";
import { createCounts } from "../../../src/metrics/counts.ts";
import { cleanUpBatches } from "../../../src/sessions/batch/cleanup.ts";
import { batch } from "../../../src/sessions/batch/kind.ts";
import { configureBatches, selectBatchNumbers } from "../../../src/sessions/batch/upkeep-sql.ts";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { batchApi } from "./support/batch.ts";

const db = useDatabase();
const app = useApp(db);
const api = batchApi(app);

const HALF_HOUR = 1_800;
const MINUTE = 60;

beforeEach(async () => {
  await db.sql`DELETE FROM batch_sessions`;
  await configureBatches(db.database, HALF_HOUR);
  await db.sql`UPDATE batch_settings SET redated_to = NULL, lowered_at = NULL`;
});

/** A process starts with that setting. */
const startWith = (silenceSeconds: number) => {
  const settings = { silenceSeconds, retentionDays: 7, token: undefined };
  const given = { settings, database: db.database, counts: createCounts(), log: createLog("silent") };
  return batch.open(given).settle();
};
const tidy = () => cleanUpBatches(db.database, { retentionDays: 7, untilMs: Number.POSITIVE_INFINITY });

async function silentFor(seconds: number, more: { claimed?: boolean } = {}): Promise<string> {
  const id = await api.make();
  if (more.claimed) await api.claim(id, { worker: "ann" });
  await db.sql`
    UPDATE batch_sessions s
    SET created_at = s.created_at - by, updated_at = s.updated_at - by, started_at = s.started_at - by,
        last_report = s.last_report - by, worker_seen = s.worker_seen - by, not_over_before = s.not_over_before - by
    FROM make_interval(secs => ${seconds}) by WHERE s.session_id = ${id}`;
  return id;
}

describe("a silence that was made shorter", () => {
  it("holds at once for what lives, for numbers, counts and lists as for who reads one run", async () => {
    const ids = [await silentFor(600), await silentFor(600, { claimed: true }), await silentFor(30, { claimed: true })];
    await startWith(MINUTE);

    // This settles nothing.
    const { pending, running, ended } = await selectBatchNumbers(db.database);
    expect([pending, running, ended]).toEqual([0, 1, { silence: 2 }]);
    const [row] = await db.sql`SELECT count(*)::int AS unended FROM batch_sessions WHERE completed_at IS NULL`;
    expect(row?.unended).toBe(3);

    expect((await api.send("GET", "/batch/stats")).body).toMatchObject({ active_sessions: 1, total_sessions: 3 });
    const listed = (await api.send("GET", "/batch/sessions?status=running")).body;
    expect(listed.sessions.map((one: { session_id: string }) => one.session_id)).toEqual([ids[2]]);
    const statuses = ids.map(async (id) => (await api.read(id)).status);
    expect(await Promise.all(statuses)).toEqual(["cancelled", "failed", "running"]);
  });

  it("is heeded by the cleanup, and by what was being made while it was made shorter", async () => {
    await silentFor(90);
    await startWith(MINUTE);
    expect(await tidy()).toEqual({ ended: 1, forgotten: 0 });
    const late = await silentFor(90);
    await db.sql`UPDATE batch_sessions SET not_over_before = last_report + interval '30 minutes' WHERE session_id = ${late}`;
    expect(await tidy()).toEqual({ ended: 1, forgotten: 0 });
    await db.sql`UPDATE batch_settings SET lowered_at = lowered_at - interval '11 seconds'`;
    await tidy();
    const [row] = await db.sql`SELECT redated_to AS "redatedTo" FROM batch_settings`;
    expect(row).toEqual({ redatedTo: null });
  });
});
