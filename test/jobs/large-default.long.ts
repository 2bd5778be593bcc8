/** Months without a cleanup have left millions of endings in the default partition; then one cleanup comes. */
import { setTimeout as sleep } from "node:timers/promises";
import postgres from "postgres";
import { beforeEach, expect, it } from "vitest";
import { maintainHistory } from "../../src/sessions/device/expire.ts";
import { useDatabase } from "../support/database.ts";

const ROWS = 90_000;
const db = useDatabase();

const guards = async () =>
  (await db.sql`SELECT conname FROM pg_constraint WHERE conname LIKE 'session_history_default_without%'`).length;

async function partitions(): Promise<string[]> {
  const rows = await db.sql`
    SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'session_history'::regclass ORDER BY 1`;
  return rows.map((row) => row.name);
}

async function addEnding(month: string) {
  await db.sql`
    INSERT INTO session_history (key_id, access_key, session_id, generation, started_at, last_heartbeat, ended_at, reason)
    VALUES (1, 'x…', gen_random_uuid(), (random() * 1e15)::bigint, now(), now(),
            date_trunc('month', now()) + ${month}::interval, 'ended')`;
}

let all: string[];
beforeEach(async () => {
  await maintainHistory(db.database, 36_500);
  all = await partitions();
  for (const name of all) if (name !== "session_history_default") await db.sql.unsafe(`DROP TABLE ${name}`);
  await db.sql`TRUNCATE session_history_default`;
  await db.sql`
    INSERT INTO session_history (key_id, access_key, session_id, generation, started_at, last_heartbeat, ended_at, reason)
    SELECT n, 'x…', gen_random_uuid(), n, now(), now(), date_trunc('month', now()) + n * interval '1 second', 'ended'
    FROM generate_series(1, ${ROWS}) n`;
});

it("the coming months are made without reading the default partition under a lock", async () => {
  const said: string[] = [];
  const sql = postgres(db.url, { max: 1, fetch_types: false, onnotice: (notice) => said.push(notice.message ?? "") });
  await sql`SET client_min_messages = debug1`;
  const [made] = await sql`CALL tidy_history(36500, 0, 0)`;
  await sql.end();
  const proved = said.filter((line) => /default partition.* is implied by existing constraints/.test(line));
  expect([made?.made, proved.length]).toEqual([3, 3]);
  expect(await guards()).toBe(0);
  // The present month's endings stay where they are.
  expect(await partitions()).toEqual(all.slice(1));
  await addEnding("40 days");
  const [row] = await db.sql`SELECT count(*)::int AS n FROM session_history`;
  expect(row?.n).toBe(ROWS + 1);
});

it("an ending that is under way holds up neither the cleanup nor, behind it, anybody else", async () => {
  const release = await db.hold("LOCK TABLE session_history_default IN ROW EXCLUSIVE MODE");
  const tidied = maintainHistory(db.database, 36_500);
  await sleep(50);
  await addEnding("1 day");
  expect(await tidied).toEqual({ made: 0, dropped: 0 });
  expect(await guards()).toBe(0);
  await release();
  expect((await maintainHistory(db.database, 36_500)).made).toBe(3);
});

it("what a cleanup left that was killed midway is gone after the next", async () => {
  await db.sql`
    ALTER TABLE session_history_default
    ADD CONSTRAINT session_history_default_without_2001_01 CHECK (ended_at < '2001-01-01' OR ended_at >= '2001-02-01') NOT VALID`;
  expect(await guards()).toBe(1);
  await maintainHistory(db.database, 36_500);
  expect(await guards()).toBe(0);
});
