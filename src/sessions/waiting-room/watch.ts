import type { WaitingRoom } from "./deps.ts";
import type { PlaceEvent } from "./line.ts";
import { readPosition } from "./position.ts";

/**
 * Watches a user's place: `tell` gets its state, then every change. An open watch keeps a place in line, but neither
 * claims nor keeps a seat. Returns a function that stops it. Throws user_not_found, or unavailable.
 */
export async function watchPlace(
  room: WaitingRoom,
  userId: string,
  tell: (event: PlaceEvent) => void,
): Promise<() => void> {
  return room.line.watch(await readPosition(room, userId), tell);
}
