import type { CreateReply, PositionReply } from "../../sessions/waiting-room/contract.ts";
import { newSessionId } from "../platform.ts";
import { openRoomLink } from "./call.ts";
import { type LimitOptions, processWithLimit } from "./limit.ts";
import type { RoomOptions } from "./options.ts";
import { askPosition, isPlace } from "./position.ts";
import { type PlaceEvent, PlaceWatch, type WatchOptions } from "./watch.ts";

export interface CreateOptions {
  /** Which page or app asks; random by default. The place belongs to the user, not to it. */
  sessionId?: string;
  /** 0 to 9, higher first. Default 0. */
  priority?: number;
}

export interface CloseOptions {
  /**
   * For a page that goes away and may only be reloading: gives the place up after this many seconds (60 at most) unless
   * the user asks again before. The request outlives its page.
   */
  graceSeconds?: number;
}

/** The waiting room of one service. Every call rejects with a KeybeatError, whose `code` is a RoomErrorCode. */
export interface WaitingRoom {
  /** Gets a seat or a place in line; a user who has one keeps it. */
  createSession(userId: string, options?: CreateOptions): Promise<CreateReply>;
  /** Gives the seat or the place in line back. Twice is fine. */
  closeSession(userId: string, options?: CloseOptions): Promise<void>;
  /** Where the user stands. Asking keeps the place, and claims a seat that has come up. */
  checkPosition(userId: string): Promise<PositionReply>;
  /** Follows the user's place until it is gone or `stop` is called, and keeps a seat meanwhile. Begins at once. */
  watchPosition(userId: string, on: (event: PlaceEvent) => void, options?: WatchOptions): PlaceWatch;
  /**
   * Runs `fn` with one of the permits for requests at once, and gives it back when `fn` is done, failed or aborted.
   * Resolves to the result of `fn`. The signal passed to `fn` fires when the work is to stop: `options.signal` fired, or
   * the seat is lost, and the permit with it; this then rejects at once with the signal's reason. Rejects with
   * `not_active`, or with `too_many_requests` if no permit was free within `waitMs`.
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
