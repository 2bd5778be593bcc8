/**
 * The waiting room: a number of seats, a fair line for everybody else, and permits for requests at once.
 *
 *            create, a seat is free             claimed, or the window is over
 *   (none) ───────────────────────► active ◄─┐ ┌──────────────────────────────► closed, expired
 *      │                                     promoted: by priority, then ticket
 *      └── create ──► queued ────────────────┘
 *                       └── close, or silent for the waiter timeout ──► left, abandoned
 *
 * The database decides every move under the room's one lock (see migrations/, the functions of the waiting room): never
 * more users seated than seats, no seat free while somebody waits, first come, first served within a priority; the order
 * of waiting_room_moves proves it. As with device sessions, time in which nobody served counts against nobody.
 */
export { closePlace } from "./close.ts";
export { createPlace } from "./create.ts";
export { requestPermit, returnPermit } from "./permits.ts";
export { readPosition } from "./position.ts";
export { readRoomStatus } from "./status.ts";
