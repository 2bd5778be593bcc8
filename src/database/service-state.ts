import type { Database } from "./database.ts";

/**
 * Makes the timeout the installation's: kept in the database, so that every process, a cleanup by a host's cron and an
 * operator's SQL go by the same. Returns what it was before if it was another; if it was not, no lock is needed.
 */
export async function setSessionTimeout(database: Database, seconds: number): Promise<number | undefined> {
  const [row] = await database.background.query(
    (sql) => sql<Array<{ before: number | null }>>`SELECT set_session_timeout(${seconds}) AS before`,
  );
  return row?.before ?? undefined;
}
