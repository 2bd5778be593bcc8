/** The counters of the limits, shared by all processes. */
import type { Database } from "../database/database.ts";

/**
 * Adds to counts, and restarts those whose window is over or was dated by a clock that was ahead. Returns each new
 * count and how long it still holds. One call at a time, so that counting never takes more than one connection; rows
 * in one order, so that two processes do not deadlock.
 */
export async function addCounts(
  database: Database,
  counts: Array<{ key: string; points: number }>,
  windowSeconds: number,
): Promise<Array<{ key: string; points: number; rest_ms: number }>> {
  return database.requests.query(
    (sql) => sql<Array<{ key: string; points: number; rest_ms: number }>>`
      WITH clock AS MATERIALIZED (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS at_ms)
      INSERT INTO limit_counts AS c (key, points, expire)
      SELECT given.key, given.points, clock.at_ms + ${windowSeconds}::integer * 1000
      FROM jsonb_to_recordset(${sql.json(counts)}) AS given (key text, points integer), clock
      ORDER BY given.key
      ON CONFLICT (key) DO UPDATE
      SET points = excluded.points + CASE WHEN c.expire > excluded.expire - ${windowSeconds}::integer * 1000
                                           AND c.expire <= excluded.expire THEN c.points ELSE 0 END,
          expire = CASE WHEN c.expire > excluded.expire - ${windowSeconds}::integer * 1000
                         AND c.expire <= excluded.expire THEN c.expire ELSE excluded.expire END
      RETURNING c.key, c.points, (c.expire - (SELECT at_ms FROM clock))::integer AS rest_ms`,
    "limits",
  );
}

/** Deletes counts whose window is over, and those dated by a clock that was ahead: they would last too long. */
export async function deleteOldCounts(database: Database): Promise<void> {
  await database.background.query((sql) => sql`SELECT forget_limit_counts()`);
}
