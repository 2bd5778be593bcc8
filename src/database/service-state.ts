import type { Database } from "./database.ts";

/**
 * Makes the timeout the installation's: kept in the database, so that every process, a cleanup by a host's cron and an
 * operator's SQL go by the same. Returns what it was before if it was another.
 */
export async function setSessionTimeout(database: Database, seconds: number): Promise<number | undefined> {
  const [row] = await database.background.query(
    (sql) => sql<Array<{ before: number }>>`
      WITH was AS (SELECT session_timeout_seconds AS before FROM service_state FOR UPDATE)
      UPDATE service_state SET session_timeout_seconds = ${seconds} FROM was
      WHERE was.before <> ${seconds} RETURNING was.before`,
  );
  return row?.before;
}
