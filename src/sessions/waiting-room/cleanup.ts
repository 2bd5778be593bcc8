import type { Database } from "../../database/database.ts";
import { expirePlaces } from "./expire.ts";
import { forgetMoves } from "./sql.ts";

/** The waiting room's part of the cleanup. Returns how many places were removed. */
export async function cleanUpRoom(
  database: Database,
  options: { retentionDays: number; untilMs: number },
): Promise<number> {
  const removed = await expirePlaces(database, options.untilMs);
  await forgetMoves(database, options.retentionDays);
  return removed;
}
