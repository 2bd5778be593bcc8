import type { Operator } from "../audit/operator.ts";
import type { Database } from "../database/database.ts";
import { revokeKeyRow } from "./sql.ts";

/**
 * Revokes a key. Its live session ends as `revoked` in the same transaction, and its device is told the note. Undefined:
 * there is no such key.
 */
export async function revokeKey(
  database: Database,
  key: { id: number; note: string | null },
  by: Operator,
): Promise<{ sessionRevoked: boolean } | undefined> {
  const { known, sessionRevoked } = await revokeKeyRow(database, key.id, key.note, by);
  return known ? { sessionRevoked } : undefined;
}
