import type { WaitingRoom } from "./service.ts";
import { leavePlaceRow } from "./sql.ts";

/** Leaves the seat or the line; whoever is next is in before this resolves. Returns whether there was a place. */
export function closePlace(room: WaitingRoom, userId: string): Promise<boolean> {
  return leavePlaceRow(room.database, userId);
}
