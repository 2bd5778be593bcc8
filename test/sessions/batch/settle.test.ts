/** Ending what is over, before each list and in the cleanup: what is due is found by an index, and what still lives is kept. */
import { describe, expect, it } from "vitest";
import { settleBatchRows } from "../../../src/sessions/batch/upkeep-sql.ts";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { batchApi } from "./support/batch.ts";

const db = useDatabase();
const app = useApp(db);
const api = batchApi(app);

const settle = async () => ({ ...(await settleBatchRows(db.database, "background", 500)) });
const due = (ids: string[]) => db.sql`
  UPDATE batch_sessions SET not_over_before = clock_timestamp() - interval '1 second' WHERE session_id IN ${db.sql(ids)}`;

describe("settling batch sessions", () => {
  it("looks once at what may be over, ends what is, and keeps what was heard of since", async () => {
    const [live, silent, untouched] = [await api.make(), await api.make(), await api.make()];
    await api.claim(live, { worker: "w" });
    await due([live, silent]);
    await db.sql`UPDATE batch_sessions SET last_report = last_report - interval '1801 seconds' WHERE session_id = ${silent}`;
    expect(await settle()).toEqual({ looked_at: 2, ended: 1 });
    expect(await settle()).toEqual({ looked_at: 0, ended: 0 });
    expect((await api.read(silent)).ended_reason).toBe("silence");
    expect([(await api.read(live)).status, (await api.read(untouched)).status]).toEqual(["running", "pending"]);
    const [row] = await db.sql`
      SELECT not_over_before = last_report + batch_silence() AS at_its_end FROM batch_sessions WHERE session_id = ${live}`;
    expect(row?.at_its_end).toBe(true);
  });

  it("dates anew what was dated before a jump of the clock, and ends nobody by it", async () => {
    const id = await api.make();
    await db.sql`UPDATE service_state SET clock_steps = clock_steps + 1, clock_stepped_at = clock_timestamp()`;
    expect((await settle()).ended).toBe(0);
    expect(await settle()).toEqual({ looked_at: 0, ended: 0 });
    expect((await api.read(id)).status).toBe("pending");
  });

  it("counts the whole time of a run that began ahead of a clock set back from the jump on, and a pending one's not", async () => {
    const [id, unread, pending] = [
      await api.make({ timeout_seconds: 60 }),
      await api.make({ timeout_seconds: 60 }),
      await api.make({ timeout_seconds: 60 }),
    ];
    for (const run of [id, unread]) await api.claim(run, { worker: "w" });
    await db.sql`UPDATE batch_sessions SET started_at = started_at + interval '1 hour' WHERE started_at IS NOT NULL`;
    const [jump] = await db.sql`
      UPDATE service_state SET clock_steps = clock_steps + 1, clock_stepped_at = clock_timestamp() RETURNING clock_stepped_at AS at`;
    const lives = async (run: string) => Date.parse((await api.read(run)).deadline_at) - Number(jump?.at);
    expect(Math.abs((await lives(id)) - 60_000)).toBeLessThan(2);
    await settle();
    for (const run of [id, unread]) expect(Math.abs((await lives(run)) - 60_000)).toBeLessThan(2);
    const rows = await db.sql`
      SELECT started_at, worker_seen FROM batch_sessions WHERE session_id = ${pending}`;
    expect([...rows]).toEqual([{ started_at: null, worker_seen: null }]);
  });

  it("lists while a run that lives is due to be looked at", async () => {
    const id = await api.make();
    await due([id]);
    const { status, body } = await api.send("GET", "/batch/sessions?limit=1");
    expect([status, body.sessions[0].session_id]).toEqual([200, id]);
  });

  it("asks an index for what is due, however many live", async () => {
    await db.sql`
      INSERT INTO batch_sessions (session_id, canvas_path, node_count, metadata, created_at, updated_at, last_report, clock_steps,
                                  not_over_before)
      SELECT gen_random_uuid(), 'a', 1, '{}', now(), now(), now(), s.clock_steps, now() + interval '1 hour'
      FROM generate_series(1, 5000), present_state() s`;
    const read = await db.sql.begin(async (sql) => {
      await sql`SELECT settle_batches(500)`;
      const rows = () => sql`
        SELECT coalesce(sum(seq_tup_read + idx_tup_fetch), 0)::int AS rows FROM pg_stat_xact_user_tables WHERE relname = 'batch_sessions'`;
      const [before] = await rows();
      await sql`SELECT settle_batches(500)`;
      const [after] = await rows();
      return after?.rows - before?.rows;
    });
    expect(read).toBe(0);
  });
});
