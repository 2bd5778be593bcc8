/**
 * Makes keys and live sessions by the hundred thousand. Their order in the table differs from the order of their beats,
 * so consecutive beats do not hit the same page.
 */
import type postgres from "postgres";
import { DEVICE_SQL, KEY_HASH_SQL, MASKED_KEY, SESSION_ID_SQL } from "./names.ts";

const CHUNK = 50_000;

export interface Range {
  from: number;
  count: number;
}

/** Makes keys number `from` to `from + count - 1`. Use the same connection to make their sessions. */
export async function seedKeys(sql: postgres.Sql, range: Range, onProgress: (made: number) => void): Promise<void> {
  await sql`CREATE TEMP TABLE IF NOT EXISTS bench_keys (n bigint, id bigint PRIMARY KEY)`;
  const [top] = await sql`SELECT coalesce(max(id), 0)::int AS id FROM keys`;
  await sql`
    INSERT INTO bench_keys
    SELECT n, ${top?.id}::bigint + row_number() OVER (ORDER BY random())
    FROM generate_series(${range.from}::bigint, ${range.from + range.count - 1}::bigint) n`;
  await sql`ANALYZE bench_keys`;
  await inChunks(range.count, onProgress, async (from, to) => {
    await sql`
      INSERT INTO keys (id, key_hash, key_prefix, generation) OVERRIDING SYSTEM VALUE
      SELECT id, ${sql.unsafe(KEY_HASH_SQL)}, ${MASKED_KEY.slice(0, 8)}, 1
      FROM bench_keys WHERE id > ${top?.id + from} AND id <= ${top?.id + to} ORDER BY id`;
  });
  await sql`SELECT setval(pg_get_serial_sequence('keys', 'id'), (SELECT max(id) FROM keys))`;
}

/** The sessions' last heartbeats. Moments are RFC 3339, and may lie in the future. */
export interface Heard {
  /** The first one; each following one is `spacingMs` later. */
  firstBeat: string;
  spacingMs: number;
  /** From this number on, all share one moment. */
  silent?: { from: number; lastBeat: string };
}

/** Makes the sessions of existing keys in one call. */
export async function seedSessions(
  sql: postgres.Sql,
  range: Range,
  heard: Heard,
  onProgress: (made: number) => void,
): Promise<void> {
  const { firstBeat, spacingMs, silent = { from: range.from + range.count, lastBeat: firstBeat } } = heard;
  const [ids] = await sql`SELECT min(id)::int AS first FROM bench_keys WHERE n >= ${range.from}`;
  // A million foreign-key checks would take longer than everything else.
  await sql`SET session_replication_role = replica`;
  await inChunks(range.count, onProgress, async (from, to) => {
    await sql`
      INSERT INTO active_sessions (key_id, access_key, session_id, generation, started_at, last_heartbeat, device)
      SELECT id, ${MASKED_KEY}, ${sql.unsafe(SESSION_ID_SQL)}, 1, now(),
             CASE WHEN n >= ${silent.from} THEN ${silent.lastBeat}::timestamptz
                  ELSE ${firstBeat}::timestamptz + make_interval(secs => (n - ${range.from}) * ${spacingMs / 1000}::float8)
             END, ${sql.unsafe(DEVICE_SQL)}
      FROM bench_keys WHERE id >= ${ids?.first + from} AND id < ${ids?.first + to} ORDER BY id`;
  });
  await sql`SET session_replication_role = origin`;
}

/** Leaves the tables as after days of service: analysed, vacuumed, written out. */
export async function settleTables(sql: postgres.Sql): Promise<void> {
  await sql`VACUUM ANALYZE keys`;
  await sql`VACUUM ANALYZE active_sessions`;
  await sql`CHECKPOINT`;
}

async function inChunks(
  count: number,
  onProgress: (made: number) => void,
  make: (from: number, to: number) => Promise<void>,
): Promise<void> {
  for (let from = 0; from < count; from += CHUNK) {
    const to = Math.min(count, from + CHUNK);
    await make(from, to);
    onProgress(to);
  }
}
