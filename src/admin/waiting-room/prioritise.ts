import type { Operator } from "../../audit/operator.ts";
import type { Database } from "../../database/database.ts";
import { prioritiseWaiterRow } from "../../sessions/waiting-room/operator-sql.ts";
import type { PlaceItem } from "./contract.ts";
import { notWaiting, readPlace } from "./places.ts";

/** Among the new equals they stand where they came. Throws user_not_found, or not_waiting. */
export async function prioritiseWaiter(
  database: Database,
  waiter: { userId: string; priority: number },
  by: Operator,
): Promise<PlaceItem> {
  const waits = await prioritiseWaiterRow(database, waiter, by);
  const place = await readPlace(database, waiter.userId);
  if (!waits) throw notWaiting();
  return place;
}
