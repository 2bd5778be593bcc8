import type { Lane, Sql } from "../../database/lane.ts";
import type { PageRange } from "../../database/page-ranges.ts";

/** The live sessions, as a table for FROM. */
export const liveSessions = (sql: Sql) => sql`
  (SELECT * FROM active_sessions WHERE last_heartbeat > (SELECT session_cutoff(clock_timestamp())))`;

/** The leases that hold, as a table for FROM. */
export const liveLeases = (sql: Sql) => sql`
  (SELECT * FROM leases WHERE until > (SELECT clock_timestamp()))`;

export interface SessionCounts {
  at: Date;
  live: number;
  /** Past their deadline and not yet taken away by the cleanup. */
  silent: number;
  /** By how much the longest silent one is past its deadline; 0: none is. */
  overdue_seconds: number;
}

/** One sequential scan: of the whole table, so not for every request, or of a range of its pages. */
export async function countSessions(lane: Lane, range?: PageRange): Promise<SessionCounts> {
  const [counts] = await lane.query((sql) => sessionCounts(sql, range));
  return counts as SessionCounts;
}

export const sessionCounts = (sql: Sql, range?: PageRange) => sql<SessionCounts[]>`
  WITH rule AS MATERIALIZED (SELECT clock_timestamp() AS at, session_cutoff(clock_timestamp()) AS cutoff)
  SELECT (SELECT at FROM rule) AS at, counted.live::int AS live, (counted.present - counted.live)::int AS silent,
         greatest(extract(epoch FROM (SELECT cutoff FROM rule) - counted.oldest), 0)::float AS overdue_seconds
  FROM (
    SELECT count(*) AS present, count(*) FILTER (WHERE last_heartbeat > (SELECT cutoff FROM rule)) AS live,
           min(last_heartbeat) AS oldest
    FROM active_sessions
    ${range ? sql`WHERE ctid >= ${range.first}::tid AND ctid < ${range.past}::tid` : sql``}
  ) counted`;
