/** Whether the tables of device sessions are looked after and in shape. It reads the sessions once. */
import type { Sql } from "../../database/lane.ts";
import { type SessionCounts, sessionCounts } from "./live-sql.ts";

export interface TableHealth extends Omit<SessionCounts, "at"> {
  missing_partitions: string[];
  rows_in_default: boolean;
  live_rows: number;
  dead_rows: number;
  updates: number;
  heap_only_updates: number;
  indexes_on_heartbeat: string[];
  /** Of active_sessions with its indexes. */
  bytes: number;
}

export async function readTableHealth(sql: Sql): Promise<TableHealth> {
  const [row] = await sql`
    WITH months AS (
      SELECT 'session_history_' || to_char(month, 'YYYY_MM') AS name
      FROM generate_series(date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC'),
                           (clock_timestamp() AT TIME ZONE 'UTC') + interval '2 months', '1 month') month
    )
    SELECT counts.live, counts.silent, counts.overdue_seconds,
           ARRAY(SELECT name FROM months WHERE to_regclass(name) IS NULL)::text AS missing_partitions,
           EXISTS (SELECT FROM session_history_default) AS rows_in_default,
           t.n_live_tup::int AS live_rows, t.n_dead_tup::int AS dead_rows,
           t.n_tup_upd AS updates, t.n_tup_hot_upd AS heap_only_updates,
           ARRAY(SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
                 WHERE i.indrelid = t.relid AND pg_get_indexdef(i.indexrelid) LIKE '%last_heartbeat%')::text
             AS indexes_on_heartbeat,
           pg_total_relation_size(t.relid) AS bytes
    FROM (${sessionCounts(sql)}) counts, pg_stat_user_tables t
    WHERE t.relid = to_regclass('active_sessions')`;
  const list = (text: unknown) => String(text).replace(/[{}"]/g, "").split(",").filter(Boolean);
  const health = row as TableHealth;
  return {
    ...health,
    missing_partitions: list(health.missing_partitions),
    indexes_on_heartbeat: list(health.indexes_on_heartbeat),
  };
}
