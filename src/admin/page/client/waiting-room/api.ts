/** What the page asks of the waiting room. */
import type { MoveItem, PatchRoom, PlaceItem, RoomReply } from "../../../waiting-room/contract.ts";
import { call, type Page, Refused } from "../api.ts";

export type { MoveItem, PlaceItem, RoomReply };

export const readRoom = () => call<RoomReply>("GET", "waiting-room");
export const changeRoom = (patch: PatchRoom) => call<RoomReply>("PATCH", "waiting-room", patch);
export const listPlaces = (filter: Record<string, string>) =>
  call<Page<PlaceItem>>("GET", `waiting-room/places?${new URLSearchParams(filter)}`);
/** Undefined: the user has no place now. */
export async function readPlace(userId: string): Promise<PlaceItem | undefined> {
  try {
    return await call<PlaceItem>("GET", placePath(userId));
  } catch (error) {
    if (error instanceof Refused && error.code === "user_not_found") return undefined;
    throw error;
  }
}
export const readMoves = (userId: string, cursor: string | null) =>
  call<Page<MoveItem>>("GET", `${userPath(userId)}/moves?limit=50${cursor ? `&cursor=${cursor}` : ""}`);
export const eraseUser = (userId: string) => call("DELETE", userPath(userId));
export const prioritise = (userId: string, priority: number) => call("PATCH", placePath(userId), { priority });
export const admit = (userId: string) => call("POST", `${placePath(userId)}/admit`, {});
export const removePlace = (userId: string, reason: string) =>
  call("POST", `${placePath(userId)}/remove`, reason ? { reason } : {});

const userPath = (userId: string) => `waiting-room/users/${encodeURIComponent(userId)}`;
const placePath = (userId: string) => `waiting-room/places/${encodeURIComponent(userId)}`;
