import type { Operator } from "../../audit/operator.ts";
import type { Database } from "../../database/database.ts";
import { AppError } from "../../errors.ts";
import { admitWaiterRow } from "../../sessions/waiting-room/operator-sql.ts";
import type { PlaceItem } from "./contract.ts";
import { notWaiting, readPlace } from "./places.ts";

/** Past the line and a pause. Throws user_not_found, not_waiting, or room_full. */
export async function admitWaiter(database: Database, userId: string, by: Operator): Promise<PlaceItem> {
  const outcome = await admitWaiterRow(database, userId, by);
  if (outcome === "full") throw new AppError("room_full", "Every seat is taken: remove somebody, or add a seat");
  const place = await readPlace(database, userId);
  if (outcome === "not_waiting") throw notWaiting();
  return place;
}
