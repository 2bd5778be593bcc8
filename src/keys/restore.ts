import type { Operator } from "../audit/operator.ts";
import type { Database } from "../database/database.ts";
import { restoreKeyRow } from "./sql.ts";

/** Makes a revoked key good again; what ended stays ended. A key that is not revoked, or not there, stays so. */
export async function restoreKey(database: Database, id: number, by: Operator): Promise<void> {
  await restoreKeyRow(database, id, by);
}
