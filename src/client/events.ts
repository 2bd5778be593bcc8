/** The events that a session sends its app. */
import type { Device, EndingReason, StartReply } from "../sessions/device/contract.ts";

/**
 * Why a session is over:
 * - `replaced`: another device took the key; final.
 * - `ended`: somebody ended this very session (another tab, the vendor's own backend); final.
 * - `revoked`: the operator withdrew the key or the session, or the key has run out; final.
 * - `cloned`: another process proved that it uses this session's id, too; final, and over for both.
 * - `expired`: the service heard nothing for too long, after a sleep say; comes back by itself if nobody holds the key.
 * - `unreachable`: nothing was acknowledged before the local deadline, so another device may hold the key by now; comes
 *   back by itself once the service answers, if nobody else holds it.
 */
export type LostReason = EndingReason | "unreachable";

/** The device holds the key. */
export interface LiveEvent {
  type: "live";
  /** The fencing token: it only rises for a key, so a backend can refuse an outdated holder. */
  generation: number;
  /** The session was live before this start: the app restarted, or the first answer got lost. */
  resumed: boolean;
  /** It was lost (`expired`, `unreachable`) and came back by itself. `session.signal` is a new one. */
  recovered: boolean;
  /** The session that this start replaced, its id masked; null if nobody held the key. */
  previous: StartReply["previous_session"];
}

/** Heartbeats fail. The device still holds the key until the local deadline. */
export interface DegradedEvent {
  type: "degraded";
  /** What went wrong, for a log: "HTTP 503", "ECONNREFUSED", "no answer within 5000 ms". */
  error: string;
  /** Ms until the session counts as lost, unless a heartbeat gets through. */
  deadlineInMs: number;
}

/** Heartbeats get through again; the device held the key throughout. */
export interface RecoveredEvent {
  type: "recovered";
}

/**
 * No heartbeat got through until the deadline, or at the start, and the device holds the key by its lease alone. It works on:
 * `session.signal` does not fire. With the network back a `live` follows, whose generation is usually higher.
 */
export interface OfflineEvent {
  type: "offline";
  /** The end of the lease by the service's clock (RFC 3339): then the session is lost. */
  until: string;
  /** Of the session that asked for the lease. */
  generation: number;
}

/** The device no longer holds the key, or may not. `session.signal` has just fired. */
export interface LostEvent {
  type: "lost";
  reason: LostReason;
  /** False: the session comes back by itself if it can (then a `live` with `recovered` follows). */
  final: boolean;
  /** With `replaced`: the device that holds the key now. */
  by: { started_at: string; device: Device | null } | null;
  /** When it ended, by the service's clock (RFC 3339); null where the service did not say. */
  ended_at: string | null;
  /**
   * The service's own code, such as `session_replaced`, `key_in_use`, `key_expired`; null with `unreachable`; `lease_ended` or
   * `clock_set_back` where a lease holds no longer.
   */
  code: string | null;
}

export type SessionEvent = LiveEvent | DegradedEvent | RecoveredEvent | OfflineEvent | LostEvent;
