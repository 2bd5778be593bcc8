/** What the tests of the operator's side of the waiting room need. */
import type { TestDatabase } from "../../../support/database.ts";

export async function seatedOf(db: TestDatabase): Promise<string[]> {
  const rows = await db.sql`SELECT user_id FROM waiting_room_places WHERE seated_at IS NOT NULL`;
  return rows.map((row) => row.user_id).sort();
}

/** What the audit log gets from now on. */
export async function newEntries(db: TestDatabase) {
  const [last] = await db.sql`SELECT coalesce(max(id), 0)::text AS id FROM audit_log`;
  return async () => [
    ...(await db.sql`SELECT who, action, details FROM audit_log WHERE id > ${last?.id}::bigint ORDER BY id`),
  ];
}
