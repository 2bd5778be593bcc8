/** Every statement of the doctor. Each only reads; the dearest is one sequential count of active_sessions. */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import postgres from "postgres";
import { createSocketFactory } from "../../database/socket.ts";

const SILENCE_MS_MAX = 5000;

export interface Examined {
  sql: postgres.Sql;
  /** The channels on which something was told. */
  heard: Set<string>;
  version(): Promise<string>;
  close(): Promise<void>;
}

/** One connection, opened by the first statement. What stands in the way is thrown as the driver says it. */
export function examine(url: string): Examined {
  const heard = new Set<string>();
  const sql = postgres(url, {
    ...{ max: 1, fetch_types: false, connect_timeout: 5, idle_timeout: 0, max_lifetime: null, onnotice: () => {} },
    connection: { application_name: "keybeat doctor" },
    types: { bigint: { to: 20, from: [20], parse: Number, serialize: String } },
    socket: createSocketFactory(SILENCE_MS_MAX),
    onnotify: (channel: string) => heard.add(channel),
  } as unknown as postgres.Options<Record<string, never>>);
  return {
    sql,
    heard,
    version: async () => (await sql`SELECT current_setting('server_version') AS version`)[0]?.version,
    close: () => sql.end({ timeout: 1 }),
  };
}

export interface ServerFacts {
  version: number;
  standby: boolean;
  settings: Record<string, string>;
  connections: number;
  connections_max: number;
  can_create_tables: boolean;
  can_create_schemas: boolean;
  owns_tables: boolean;
  user: string;
  /** How far the clock of this host is before the database's, in seconds; half a round trip exact. */
  clockAheadSeconds: number;
}

export interface TableFacts {
  tick_age_seconds: number | null;
  live: number;
  overdue: number;
  /** How long the oldest of them has been over its deadline. */
  overdue_seconds: number | null;
  missing_partitions: string[];
  rows_in_default: boolean;
  live_rows: number;
  dead_rows: number;
  updates: number;
  heap_only_updates: number;
  indexes_on_heartbeat: string[];
  oldest_transaction_seconds: number | null;
  /** What the process that started last has set for all. */
  timeout_seconds: number;
  /** Of active_sessions with its indexes, and of what PostgreSQL keeps in memory. */
  bytes: number;
  memory_bytes: number;
  /** Jumps of the clock that were seen; how far the last one went and how long ago it was: null before the first. */
  clock_steps: number;
  clock_stepped_seconds: number | null;
  clock_step_age_seconds: number | null;
}

export interface Facts {
  server: ServerFacts;
  pooler: { present: boolean; listens: boolean };
  /** When each applied migration was written, as drizzle's journal has it; undefined: there is no schema of ours. */
  migrations: number[] | undefined;
  tables: TableFacts | undefined;
}

export async function readFacts({ sql, heard }: Examined): Promise<Facts> {
  const server = await readServer(sql);
  const pooler = { present: await isPooled(sql), listens: await hearsItself(sql, heard) };
  const migrations = await readMigrations(sql);
  return { server, pooler, migrations, tables: migrations?.length ? await readTables(sql) : undefined };
}

const SETTINGS = [
  ...["synchronous_commit", "fsync", "full_page_writes", "autovacuum", "track_counts", "statement_timeout"],
  ...["default_transaction_isolation", "default_transaction_read_only"],
  ...["log_statement", "log_min_duration_statement", "log_min_duration_sample", "log_transaction_sample_rate"],
  ...["log_parameter_max_length", "log_parameter_max_length_on_error"],
  ...["auto_explain.log_min_duration", "auto_explain.log_parameter_max_length", "pgaudit.log_parameter"],
];

async function readServer(sql: postgres.Sql): Promise<ServerFacts> {
  const before = Date.now();
  const [clock] = await sql`SELECT extract(epoch FROM clock_timestamp())::float * 1000 AS ms`;
  const hostMs = (before + Date.now()) / 2;
  const [row] = await sql<Array<Omit<ServerFacts, "settings" | "clockAheadSeconds">>>`
    SELECT current_setting('server_version_num')::int AS version,
           pg_is_in_recovery() AS standby,
           current_user AS user,
           (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
           least(current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
                   - coalesce(current_setting('reserved_connections', true)::int, 0),
                 (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user),
                 (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database())
           )::int AS connections_max,
           coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS can_create_tables,
           has_database_privilege(current_database(), 'CREATE')
             OR coalesce(has_schema_privilege(to_regnamespace('drizzle')::oid, 'CREATE'), false) AS can_create_schemas,
           coalesce((SELECT bool_and(pg_has_role(c.relowner, 'USAGE')) FROM pg_class c WHERE c.oid IN (
             to_regclass('keys'), to_regclass('active_sessions'), to_regclass('session_history'),
             to_regclass('service_state'))), true) AS owns_tables`;
  const settings =
    await sql`SELECT name, current_setting(name) AS value FROM pg_settings WHERE name = ANY (string_to_array(${SETTINGS.join()}, ','))`;
  return {
    ...(row as ServerFacts),
    settings: Object.fromEntries(settings.map(({ name, value }) => [name, value])),
    clockAheadSeconds: (hostMs - clock?.ms) / 1000,
  };
}

/** A pooler names a process of its own when one connects, and hands the statements to the server's. */
async function isPooled(sql: postgres.Sql): Promise<boolean> {
  const result = await sql`SELECT pg_backend_pid() AS pid`;
  return (result as unknown as { state: { pid: number } }).state.pid !== result[0]?.pid;
}

/** Behind a pooler that hands connections on after each transaction, LISTEN is heard by nobody. */
async function hearsItself(sql: postgres.Sql, heard: Set<string>): Promise<boolean> {
  const channel = `keybeat_doctor_${randomBytes(8).toString("hex")}`;
  await sql.unsafe(`LISTEN ${channel}`);
  await sql.unsafe(`NOTIFY ${channel}`);
  for (let tries = 0; tries < 50 && !heard.has(channel); tries++) await sleep(20);
  await sql.unsafe(`UNLISTEN ${channel}`);
  return heard.has(channel);
}

async function readMigrations(sql: postgres.Sql): Promise<number[] | undefined> {
  const [there] = await sql`SELECT to_regclass('drizzle.__drizzle_migrations') IS NOT NULL AS yes`;
  if (!there?.yes) return undefined;
  return (await sql`SELECT created_at FROM drizzle.__drizzle_migrations ORDER BY created_at`).map(
    (row) => row.created_at,
  );
}

async function readTables(sql: postgres.Sql): Promise<TableFacts> {
  const [row] = await sql<TableFacts[]>`
    WITH rule AS MATERIALIZED (
      SELECT clock_timestamp() AS at, session_cutoff(clock_timestamp()) AS cutoff
    ), sessions AS (
      SELECT count(*) FILTER (WHERE s.last_heartbeat > rule.cutoff)::int AS live,
             count(*) FILTER (WHERE s.last_heartbeat <= rule.cutoff)::int AS overdue,
             min(s.last_heartbeat) FILTER (WHERE s.last_heartbeat <= rule.cutoff) AS oldest
      FROM active_sessions s, rule
    ), months AS (
      SELECT 'session_history_' || to_char(month, 'YYYY_MM') AS name
      FROM generate_series(date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC'),
                           (clock_timestamp() AT TIME ZONE 'UTC') + interval '2 months', '1 month') month
    )
    SELECT (SELECT extract(epoch FROM rule.at - last_tick)::float FROM present_state()) AS tick_age_seconds,
           sessions.live, sessions.overdue,
           extract(epoch FROM rule.at - session_deadline(sessions.oldest))::float AS overdue_seconds,
           ARRAY(SELECT name FROM months WHERE to_regclass(name) IS NULL)::text AS missing_partitions,
           EXISTS (SELECT FROM session_history_default) AS rows_in_default,
           t.n_live_tup::int AS live_rows, t.n_dead_tup::int AS dead_rows,
           t.n_tup_upd AS updates, t.n_tup_hot_upd AS heap_only_updates,
           ARRAY(SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
                 WHERE i.indrelid = t.relid AND pg_get_indexdef(i.indexrelid) LIKE '%last_heartbeat%')::text
             AS indexes_on_heartbeat,
           (SELECT session_timeout_seconds FROM service_state) AS timeout_seconds,
           (SELECT clock_steps::int FROM service_state) AS clock_steps,
           (SELECT clock_stepped_seconds FROM service_state) AS clock_stepped_seconds,
           (SELECT extract(epoch FROM rule.at - clock_stepped_at)::float FROM service_state) AS clock_step_age_seconds,
           pg_total_relation_size(t.relid) AS bytes,
           pg_size_bytes(current_setting('shared_buffers')) AS memory_bytes,
           (SELECT extract(epoch FROM max(clock_timestamp() - a.xact_start))::float FROM pg_stat_activity a
            WHERE a.datname = current_database() AND a.backend_type = 'client backend') AS oldest_transaction_seconds
    FROM rule, sessions, pg_stat_user_tables t WHERE t.relid = to_regclass('active_sessions')`;
  const list = (text: unknown) => String(text).replace(/[{}"]/g, "").split(",").filter(Boolean);
  const facts = row as TableFacts;
  return {
    ...facts,
    missing_partitions: list(facts.missing_partitions),
    indexes_on_heartbeat: list(facts.indexes_on_heartbeat),
  };
}
