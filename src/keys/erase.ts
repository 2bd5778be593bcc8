import type { Operator } from "../audit/operator.ts";
import type { Database } from "../database/database.ts";
import { eraseKeyRow } from "./sql.ts";

/** Takes a key away with all that is known of its devices. Returns whether there was such a key. */
export async function eraseKey(database: Database, id: number, by: Operator): Promise<boolean> {
  return eraseKeyRow(database, id, by);
}
