/**
 * The database's clock jumps, as seen from the rows: every moment that is stored is dated the other way. Also how time
 * passes without being waited for.
 */
import type { TestDatabase } from "./database.ts";

const YEAR_SECONDS = 31_536_000;
export const JUMPS = { "a minute": 60, "an hour": 3600, "a year": YEAR_SECONDS } as const;

/** The clock goes ahead by so many seconds, or back, and nobody has noticed yet. `after`: SQL in the same transaction. */
export async function jumpClock(db: TestDatabase, seconds: number, after = ""): Promise<void> {
  const columns = await db.sql`
    SELECT c.relname AS table,
           (SELECT k.attname FROM pg_index i JOIN pg_attribute k ON k.attrelid = i.indexrelid
            WHERE i.indrelid = c.oid AND i.indisprimary AND c.relkind = 'r' AND k.atttypid = 'timestamptz'::regtype) AS key,
           json_agg(json_build_array(a.attname, format_type(a.atttypid, NULL)))::text AS columns
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND a.attnum > 0 AND NOT a.attisdropped
      AND a.atttypid IN ('timestamptz'::regtype, 'timestamptz[]'::regtype, 'tstzmultirange'::regtype)
    GROUP BY c.oid ORDER BY c.relname`;
  const by = `make_interval(secs => ${seconds})`;
  const shifted = ([column, type]: [string, string]) => {
    if (type.endsWith("[]")) return `${column} = ARRAY(SELECT v - ${by} FROM unnest(${column}) v)`;
    if (!type.endsWith("multirange")) return `${column} = ${column} - ${by}`;
    const ranges = `SELECT range_agg(tstzrange(lower(g) - ${by}, upper(g) - ${by})) FROM unnest(${column}) g`;
    return `${column} = coalesce((${ranges}), '{}')`;
  };
  // By a detour where a moment is a key: rows that stand exactly so far apart would be in each other's way.
  const far = "interval '400000 days'";
  const updates = columns.flatMap(({ table, key, columns: list }) => [
    ...(key ? [`UPDATE ${table} SET ${key} = ${key} + ${far}`] : []),
    `UPDATE ${table} SET ${JSON.parse(list).map(shifted).join()}`,
    ...(key ? [`UPDATE ${table} SET ${key} = ${key} - ${far} WHERE ${key} > clock_timestamp() + ${far} / 2`] : []),
  ]);
  if (columns.some(({ table }) => table === "game_participants")) {
    updates.push(`
      UPDATE game_participants SET ready_at = (
        SELECT jsonb_object_agg(r.key, (r.value #>> '{}')::timestamptz - ${by}) FROM jsonb_each(ready_at) r)`);
  }
  // The rows are written now, but stand for such as were written before the last tick. Sent as one: one transaction.
  const ticked = "UPDATE service_state SET ticked_after = (pg_current_xact_id()::text::bigint + 1)::text::xid8";
  await db.sql.unsafe([...updates, ticked, after].join("; "));
}

/** So many seconds pass in which the service ticks. */
export async function serveFor(db: TestDatabase, seconds: number): Promise<void> {
  await jumpClock(db, seconds, "UPDATE service_state SET last_tick = clock_timestamp()");
}

/** A tick of a process that has ticked before, by whose own clock the database's has jumped so far since. */
export async function tick(db: TestDatabase, jumpedSeconds = 0) {
  const [row] = await db.sql`
    SELECT stepped_seconds::float8 AS stepped, unsettled
    FROM serve_tick(clock_timestamp() - make_interval(secs => ${jumpedSeconds}))`;
  return row as unknown as { stepped: number | null; unsettled: boolean };
}

/** The service has ticked, and was never away. */
export async function resetClock(db: TestDatabase): Promise<void> {
  await db.sql`
    UPDATE service_state SET last_tick = clock_timestamp(), gaps = '{}', gap_began = NULL, gap_ended = NULL,
      confirmed_at = NULL, clock_unsettled = false`;
}

/** The service ticked last so many seconds ago; and its last gap was from … to … seconds ago. */
export async function setTicks({ sql }: TestDatabase, seconds: { lastTick: number; gap?: [number, number] }) {
  const [began, ended] = seconds.gap ?? [null, null];
  await sql`
    UPDATE service_state SET last_tick = clock_timestamp() - make_interval(secs => ${seconds.lastTick}),
      gap_began = clock_timestamp() - make_interval(secs => ${began}),
      gap_ended = clock_timestamp() - make_interval(secs => ${ended})`;
}
