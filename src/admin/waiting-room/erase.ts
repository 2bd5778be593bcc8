import type { Operator } from "../../audit/operator.ts";
import type { Database } from "../../database/database.ts";
import { eraseUserRow } from "../../sessions/waiting-room/operator-sql.ts";
import { userNotFound } from "./places.ts";

/** Takes away the place, the moves, and what the audit log says of the user. Throws user_not_found. */
export async function eraseUser(database: Database, userId: string, by: Operator): Promise<void> {
  if (!(await eraseUserRow(database, userId, by))) throw userNotFound();
}
