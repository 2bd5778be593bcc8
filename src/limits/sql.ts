/** Where the limits count, so that all processes count together. */
import type { Database } from "../database/database.ts";

/**
 * Adds to counts, or begins them anew where their time is over, or was dated by a clock that was ahead; returns what they
 * have come to and how long they still hold. One after the other: whatever becomes of the counting, it takes one
 * connection. In one order, or two processes would wait for each other.
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

/** Counts whose time is over, and such as a clock that was ahead has dated: they would go on for as long as it was. */
export async function deleteOldCounts(database: Database): Promise<void> {
  await database.background.query((sql) => sql`SELECT forget_limit_counts()`);
}
