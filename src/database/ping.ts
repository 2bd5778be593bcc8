import type { Database } from "./database.ts";

/** Resolves if the database answers on the clients' lane; throws `unavailable` in time if it does not. */
export async function pingDatabase(database: Database): Promise<void> {
  await database.requests.query((sql) => sql`SELECT 1`);
}
