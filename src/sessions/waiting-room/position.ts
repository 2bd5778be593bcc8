import { AppError } from "../../errors.ts";
import type { PositionReply } from "./contract.ts";
import type { WaitingRoom } from "./deps.ts";
import { describeWaiter } from "./place.ts";
import { askPlaceRow } from "./sql.ts";

/** Where the user stands. Asking keeps the place and claims the seat. Throws user_not_found, or unavailable. */
export async function readPosition(room: WaitingRoom, userId: string): Promise<PositionReply> {
  const row = await askPlaceRow(room.database, userId);
  if (row.outcome === "unknown_user") throw unknownUser();
  if (row.outcome === "active") return { user_id: userId, position: 0, status: "active" };
  return describeWaiter(userId, row.line_position, row.wait_seconds);
}

const unknownUser = () => new AppError("user_not_found", "This user has neither a seat nor a place in line");
