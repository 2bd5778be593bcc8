/** Every statement of the doctor. Each only reads; the dearest is one sequential count of active_sessions. */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { findWay, openConnections, type Sql } from "../../database/connections.ts";
import { readSchema, type Schema } from "../../database/schema.ts";
import { readTableHealth, type TableHealth } from "../../sessions/device/health-sql.ts";

const SILENCE_MS_MAX = 5000;
const ANSWER_MS_MAX = 8000;

export interface Examined {
  sql: Sql;
  /** The channels on which something was told. */
  heard: Set<string>;
  version(): Promise<string>;
  close(): Promise<void>;
}

/** One connection, opened by the first statement. What stands in the way is thrown as the driver says it. */
export function examine(url: string): Examined {
  const heard = new Set<string>();
  const sql = openConnections(findWay(url), {
    name: "doctor",
    silenceMsMax: SILENCE_MS_MAX,
    onNotify: (channel) => heard.add(channel),
  });
  return {
    sql,
    heard,
    async version() {
      const asked = sql`SELECT current_setting('server_version') AS version`.then(([row]) => row?.version as string);
      // With several servers the driver goes round for ever.
      return Promise.race([asked, sleep(ANSWER_MS_MAX, undefined, { ref: false }).then(giveUp)]);
    },
    close: () => sql.end({ timeout: 1 }),
  };
}

function giveUp(): never {
  throw Object.assign(new Error("none of the servers is a primary that answers"), { code: "NO_PRIMARY" });
}

export interface ServerFacts {
  version: number;
  standby: boolean;
  settings: Record<string, string>;
  connections: number;
  connections_max: number;
  /** Where our tables are or would be made; null: search_path names no schema that exists. */
  schema: string | null;
  can_create_tables: boolean;
  can_create_schemas: boolean;
  /** Those of our tables, as far as they are there, that this user does not own, and cannot read and write. */
  not_owned: string[];
  not_usable: string[];
  user: string;
  /** How far the clock of this host is before the database's, in seconds; half a round trip exact. */
  clockAheadSeconds: number;
}

interface ServiceFacts {
  tick_age_seconds: number | null;
  oldest_transaction_seconds: number | null;
  /** What the process that started last has set for all. */
  timeout_seconds: number;
  /** What PostgreSQL keeps in memory. */
  memory_bytes: number;
  /** Jumps of the clock that were seen; how far the last one went and how long ago it was: null before the first. */
  clock_steps: number | null;
  clock_stepped_seconds: number | null;
  clock_step_age_seconds: number | null;
}

export type TableFacts = ServiceFacts & TableHealth;

export interface Facts {
  server: ServerFacts;
  pooler: { present: boolean; listens: boolean };
  schema: Pick<Schema, "applied" | "functions">;
  /** Undefined: there are none of ours. */
  tables: TableFacts | undefined;
}

/** `tables`: the names of all that are ours. */
export async function readFacts({ sql, heard }: Examined, tables: readonly string[]): Promise<Facts> {
  const schema = await readSchema(sql);
  const server = await readServer(sql, schema, tables);
  const pooler = { present: await isPooled(sql), listens: await hearsItself(sql, heard) };
  return { server, pooler, schema, tables: schema.applied?.length ? await readTables(sql) : undefined };
}

const SETTINGS = [
  ...["synchronous_commit", "fsync", "full_page_writes", "autovacuum", "track_counts", "statement_timeout"],
  ...["default_transaction_isolation", "default_transaction_read_only", "session_replication_role"],
  ...["log_statement", "log_min_duration_statement", "log_min_duration_sample", "log_transaction_sample_rate"],
  ...["log_parameter_max_length", "log_parameter_max_length_on_error"],
  ...["auto_explain.log_min_duration", "auto_explain.log_parameter_max_length", "pgaudit.log_parameter"],
];

async function readServer(sql: Sql, { name, journal }: Schema, names: readonly string[]): Promise<ServerFacts> {
  const before = Date.now();
  const [clock] = await sql`SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS ms`;
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
           coalesce(has_schema_privilege(to_regnamespace(${name})::oid, 'CREATE'), false) AS can_create_tables,
           has_database_privilege(current_database(), 'CREATE')
             OR coalesce(has_schema_privilege(to_regnamespace(${journal.replace(/\.[^.]*$/, "")})::oid, 'CREATE'), false)
             AS can_create_schemas`;
  const tables = await sql`
    SELECT name, pg_has_role(c.relowner, 'USAGE') AS owned,
           has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
             AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE') AS usable
    FROM unnest(string_to_array(${names.join()}, ',')) name JOIN pg_class c ON c.oid = to_regclass(name)`;
  const settings =
    await sql`SELECT name, current_setting(name) AS value FROM pg_settings WHERE name = ANY (string_to_array(${SETTINGS.join()}, ','))`;
  return {
    ...(row as ServerFacts),
    schema: name,
    not_owned: tables.filter(({ owned }) => !owned).map((table) => table.name),
    not_usable: tables.filter(({ usable }) => !usable).map((table) => table.name),
    settings: Object.fromEntries(settings.map(({ name, value }) => [name, value])),
    clockAheadSeconds: (hostMs - clock?.ms) / 1000,
  };
}

/** A pooler names a process of its own when one connects, and hands the statements to the server's. */
async function isPooled(sql: Sql): Promise<boolean> {
  const result = await sql`SELECT pg_backend_pid() AS pid`;
  return (result as unknown as { state: { pid: number } }).state.pid !== result[0]?.pid;
}

/** Behind a pooler that hands connections on after each transaction, LISTEN is heard by nobody. */
async function hearsItself(sql: Sql, heard: Set<string>): Promise<boolean> {
  const channel = `keybeat_doctor_${randomBytes(8).toString("hex")}`;
  await sql.unsafe(`LISTEN ${channel}`);
  await sql.unsafe(`NOTIFY ${channel}`);
  for (let tries = 0; tries < 50 && !heard.has(channel); tries++) await sleep(20);
  await sql.unsafe(`UNLISTEN ${channel}`);
  return heard.has(channel);
}

async function readTables(sql: Sql): Promise<TableFacts> {
  const [row] = await sql`
    SELECT (SELECT extract(epoch FROM clock_timestamp() - last_tick)::float FROM present_state()) AS tick_age_seconds,
           s.session_timeout_seconds AS timeout_seconds, steps.clock_steps, steps.clock_stepped_seconds,
           extract(epoch FROM clock_timestamp() - steps.clock_stepped_at)::float AS clock_step_age_seconds,
           pg_size_bytes(current_setting('shared_buffers')) AS memory_bytes,
           (SELECT extract(epoch FROM max(clock_timestamp() - a.xact_start))::float FROM pg_stat_activity a
            WHERE a.datname = current_database() AND a.backend_type = 'client backend') AS oldest_transaction_seconds
    FROM service_state s,
         -- By way of JSON, as a schema that is still to be migrated has no such columns.
         jsonb_to_record(to_jsonb(s)) AS steps (
           clock_steps integer, clock_stepped_at timestamptz, clock_stepped_seconds double precision)`;
  return { ...(row as ServiceFacts), ...(await readTableHealth(sql)) };
}
