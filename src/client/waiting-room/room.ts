import type { CreateReply, PositionReply } from "../../sessions/waiting-room/contract.ts";
import { newSessionId } from "../platform.ts";
import { openRoomLink } from "./call.ts";
import { type LimitOptions, processWithLimit } from "./limit.ts";
import type { RoomOptions } from "./options.ts";
import { askPosition, isPlace } from "./position.ts";
import { type PlaceEvent, PlaceWatch, type WatchOptions } from "./watch.ts";

export interface CreateOptions {
  /** Which page or app asked; a random one by default. The place is the user's, whichever asks. */
  sessionId?: string;
  /** 0 to 9, higher first. Default 0. */
  priority?: number;
}

export interface CloseOptions {
  /**
   * For a page that goes away and may only be reloading: the place is given up in so many seconds (60 at most) unless
   * the user asks again until then. The request outlives its page.
   */
  graceSeconds?: number;
}

/** The waiting room of one service. Every call rejects with a KeybeatError, whose `code` is a RoomErrorCode. */
export interface WaitingRoom {
  /** A seat, or a place in line; whoever has one keeps it. */
  createSession(userId: string, options?: CreateOptions): Promise<CreateReply>;
  /** Gives the seat or the place in line back. Twice is fine. */
  closeSession(userId: string, options?: CloseOptions): Promise<void>;
  /** Where the user stands. Asking keeps the place, and claims a seat that has come up. */
  checkPosition(userId: string): Promise<PositionReply>;
  /** Follows the user's place until it is gone or `stop` is called; a seat is kept for as long. Begins at once. */
  watchPosition(userId: string, on: (event: PlaceEvent) => void, options?: WatchOptions): PlaceWatch;
  /**
   * Runs `fn` with one of the permits for requests at once, and gives it back when `fn` is done, has failed, or was
   * called off. Resolves to what `fn` gives. The signal that `fn` gets fires when the work is to stop: `options.signal`
   * has fired, or the seat is lost, which takes the permit along; this then rejects with the signal's reason at once.
   * Rejects with `not_active`, or with `too_many_requests` where no permit was free within `waitMs`.
   */
  processWithLimit<T>(userId: string, fn: (signal: AbortSignal) => T | Promise<T>, options?: LimitOptions): Promise<T>;
}

export function createWaitingRoom(options: RoomOptions): WaitingRoom {
  const link = openRoomLink(options);
  const room: WaitingRoom = {
    createSession: (userId, { sessionId = newSessionId(), priority } = {}) =>
      link.call<CreateReply>("POST", "/create", {
        body: { user_id: userId, session_id: sessionId, priority },
        expects: isPlace,
      }),
    async closeSession(userId, { graceSeconds } = {}) {
      const path = `/close/${encodeURIComponent(userId)}`;
      if (graceSeconds === undefined) await link.call("DELETE", path);
      else await link.call("POST", `${path}?grace_seconds=${graceSeconds}`, { keepalive: true });
    },
    checkPosition: (userId) => askPosition(link, userId),
    watchPosition: (userId, on, watchOptions = {}) => new PlaceWatch(link, userId, on, watchOptions),
    processWithLimit: (userId, fn, limitOptions = {}) =>
      processWithLimit(link, room.checkPosition, userId, fn, limitOptions),
  };
  return room;
}
