/**
 * What goes on, at a price that does not grow with the rows: PostgreSQL's own counters and the last pages of the history.
 * `keybeat top` asks every second.
 */
import type { Lane } from "../../database/lane.ts";

/** PostgreSQL's counters since its statistics began; the difference of two readings is a rate. */
export interface Counters {
  /** The database's clock, in milliseconds. */
  at: number;
  tick_age_seconds: number | null;
  session_inserts: number;
  session_updates: number;
  session_deletes: number;
  endings: number;
  connections: number;
  connections_max: number;
}

export async function readCounters(lane: Lane): Promise<Counters> {
  const [row] = await lane.query(
    (sql) => sql<Counters[]>`
      SELECT extract(epoch FROM clock_timestamp())::float * 1000 AS at,
             (SELECT extract(epoch FROM clock_timestamp() - last_tick)::float FROM present_state()) AS tick_age_seconds,
             t.n_tup_ins AS session_inserts, t.n_tup_upd AS session_updates, t.n_tup_del AS session_deletes,
             (SELECT coalesce(sum(h.n_tup_ins), 0)::bigint FROM pg_stat_user_tables h
              WHERE h.relid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass('session_history'))) AS endings,
             (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
             current_setting('max_connections')::int AS connections_max
      FROM pg_stat_user_tables t WHERE t.relid = 'active_sessions'::regclass`,
  );
  return row as Counters;
}

export interface Takeover {
  ended_at: Date;
  access_key: string;
  label: string | null;
  from_device: string | null;
  to_device: string | null;
}

/** How many of a month's last pages to read: some thousand endings. Several starts at once may leave a few empty. */
const PAGES = 64;

/**
 * The newest takeovers, newest first. Endings are only appended, so the newest are on the last pages of the month's
 * partition. These pages are read by position, as an index on ended_at would cost every ending a write. An ending that
 * filled a hole left by an erased key is elsewhere, and missed.
 */
export async function readTakeovers(lane: Lane, limit: number): Promise<Takeover[]> {
  const partitions = await lane.query(
    (sql) => sql<Array<{ name: string; from_page: number }>>`
      SELECT name, greatest(0, pg_relation_size(to_regclass(name)) / current_setting('block_size')::int - ${PAGES}::int)::int AS from_page
      FROM (SELECT 'session_history_' || to_char(clock_timestamp() AT TIME ZONE 'UTC' - back * interval '1 month', 'YYYY_MM') AS name,
                   back FROM generate_series(0, 1) back) months
      WHERE to_regclass(name) IS NOT NULL ORDER BY back`,
  );
  const found: Takeover[] = [];
  for (const { name, from_page } of partitions) {
    if (found.length >= limit) break;
    found.push(
      ...(await lane.query(
        (sql) => sql<Takeover[]>`
          SELECT h.ended_at, h.access_key, k.label, h.device ->> 'name' AS from_device,
                 h.replaced_by_device ->> 'name' AS to_device
          FROM (SELECT * FROM ${sql(name)} WHERE ctid >= ${`(${from_page},0)`}::tid AND reason = 'replaced'
                ORDER BY ended_at DESC LIMIT ${limit - found.length}) h
          LEFT JOIN keys k ON k.id = h.key_id ORDER BY h.ended_at DESC`,
      )),
    );
  }
  return found;
}
