import type { Operator } from "../../audit/operator.ts";
import type { Database } from "../../database/database.ts";
import { removePlaceRow } from "../../sessions/waiting-room/operator-sql.ts";
import { userNotFound } from "./places.ts";

/** Throws user_not_found. */
export async function removePlace(
  database: Database,
  place: { userId: string; reason: string | null },
  by: Operator,
): Promise<void> {
  if (!(await removePlaceRow(database, place, by))) throw userNotFound();
}
