/** PostgreSQL's own counters. */
import type postgres from "postgres";

export interface Counters {
  updates: number;
  heapOnlyUpdates: number;
  autovacuums: number;
  walBytes: number;
  walPageImages: number;
  checkpoints: number;
}

export interface TableSize {
  rows: number;
  tableBytes: number;
  indexBytes: number;
}

/** Other backends report about once a second and when they end, so this is exact only while nobody works. */
export async function readCounters(sql: postgres.Sql): Promise<Counters> {
  await sql`SELECT pg_stat_force_next_flush()`;
  const [row] = await sql`
    SELECT s.n_tup_upd::float AS updates, s.n_tup_hot_upd::float AS "heapOnlyUpdates",
           (SELECT sum(autovacuum_count) FROM pg_stat_user_tables)::float AS autovacuums,
           (pg_current_wal_insert_lsn() - '0/0')::float AS "walBytes", w.wal_fpi::float AS "walPageImages",
           (SELECT num_timed + num_requested FROM pg_stat_checkpointer)::float AS checkpoints
    FROM pg_stat_user_tables s, pg_stat_wal w WHERE s.relname = 'active_sessions'`;
  return row as unknown as Counters;
}

export async function readTableSize(sql: postgres.Sql): Promise<TableSize> {
  const [row] = await sql`
    SELECT (SELECT count(*) FROM active_sessions)::float AS rows,
           pg_table_size('active_sessions')::float AS "tableBytes",
           pg_indexes_size('active_sessions')::float AS "indexBytes"`;
  return row as unknown as TableSize;
}
