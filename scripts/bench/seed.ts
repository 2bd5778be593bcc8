/**
 * Keys and live sessions by the hundred thousand. They lie in the table in an order of their own: a device that beats
 * after another is not its neighbour on the page.
 */
import type postgres from "postgres";
import { DEVICE_SQL, KEY_HASH_SQL, MASKED_KEY, SESSION_ID_SQL } from "./names.ts";

const CHUNK = 50_000;

export interface Range {
  from: number;
  count: number;
}

/** Makes the keys number `from` to `from + count - 1`. The connection must be the one that makes their sessions. */
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

/** When the sessions were heard of last. Moments are RFC 3339; one to come is as good. */
export interface Heard {
  /** The first one; each next one `spacingMs` later. */
  firstBeat: string;
  spacingMs: number;
  /** From this number on all were heard of at one moment. */
  silent?: { from: number; lastBeat: string };
}

/** Makes the sessions of keys that were made before in one call. */
export async function seedSessions(
  sql: postgres.Sql,
  range: Range,
  heard: Heard,
  onProgress: (made: number) => void,
): Promise<void> {
  const { firstBeat, spacingMs, silent = { from: range.from + range.count, lastBeat: firstBeat } } = heard;
  const [ids] = await sql`SELECT min(id)::int AS first FROM bench_keys WHERE n >= ${range.from}`;
  // A million checks of the foreign key would take longer than all the rest.
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

/** Leaves the tables as days of service do: statistics made, nothing to vacuum, everything written out. */
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
