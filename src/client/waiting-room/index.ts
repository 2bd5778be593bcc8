/**
 * The user's side of the waiting room: a seat or a place in line, its position as it changes, and permits for requests
 * at once. No dependencies; runs in browsers, Node 18 and later, Electron, Deno and Bun.
 *
 *   createSession ──► queued ── position 3, 2, 1 ── promoted ──► active ──► closed, expired
 *
 * What it promises:
 * - A failed request is not a lost place: only the service's own word ends a watch. A watch reports trouble once, and
 *   retries for as long as it takes.
 * - While the event stream is not open, a watch asks every 5 s. It claims a seat as soon as it hears of it.
 * - A permit is given back exactly once: when the work is done, has failed or was aborted.
 */
export type { CreateReply, DepartureEvent, PermitReply, PositionReply } from "../../sessions/waiting-room/contract.ts";
export { KeybeatError, type RoomErrorCode } from "../error.ts";
export type { LimitOptions } from "./limit.ts";
export type { RoomOptions, Token } from "./options.ts";
export { type CloseOptions, type CreateOptions, createWaitingRoom, type WaitingRoom } from "./room.ts";
export type { PlaceEvent, PlaceWatch, WatchOptions } from "./watch.ts";
