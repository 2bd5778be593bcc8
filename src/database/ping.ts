import type { Database } from "./database.ts";

/** Resolves if the database answers on the lane that clients use; throws `unavailable` in time if not. */
export async function pingDatabase(database: Database): Promise<void> {
  await database.requests.query((sql) => sql`SELECT 1`);
}
