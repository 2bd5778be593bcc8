import type { WaitingRoom } from "./deps.ts";
import { leavePlaceRow, leavePlaceRowSoon } from "./sql.ts";

/** Leaves the seat or the line; the next in line is seated before this resolves. Returns whether there was a place. */
export function closePlace(room: WaitingRoom, userId: string): Promise<boolean> {
  return leavePlaceRow(room.database, userId);
}

/**
 * For a page that goes away and may only be reloading: gives the place up after that many seconds, unless the user asks
 * for it before. Returns whether there was a place.
 */
export function closePlaceSoon(room: WaitingRoom, userId: string, graceSeconds: number): Promise<boolean> {
  return leavePlaceRowSoon(room.database, userId, graceSeconds);
}
