import type { Operator } from "../../audit/operator.ts";
import type { Database } from "../../database/database.ts";
import { type Kicked, kickSessionRow } from "./sql.ts";

/**
 * Ends a key's live session as `revoked`, or only that generation of it, and tells its device the note; and its lease, if
 * it has one. The key stays good: the device may start again. Returns which of the two this call ended.
 */
export async function kickSession(
  database: Database,
  kick: { keyId: number; generation: number | null; note: string | null },
  by: Operator,
): Promise<Kicked> {
  return kickSessionRow(database, kick, by);
}
