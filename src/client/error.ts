import type { Holder as BatchHolder } from "../sessions/batch/contract.ts";
import type { Holder } from "../sessions/device/contract.ts";
import type { LostReason } from "./events.ts";

/**
 * - `invalid_key`, `key_expired`, `key_revoked`: the key is no good.
 * - `key_in_use`: another device holds it, and the caller (or `ask`) chose not to take over; `data.holder` says which.
 * - `session_id_used`: this start got through, its answer was lost, and its session is already over.
 * - `invalid_request`: the request is malformed, see `data.issues`.
 * - `lease_unavailable`: the service gives no leases, or not for so long.
 * - `unreachable`: no answer within `startTimeoutMs`, or none possible (a bad certificate, a redirect to https). The
 *   message tells the last try's trouble, and `cause` is what fetch threw.
 * - The others are the `session.signal.reason` of a session that is over.
 * - Those of `keybeat/waiting-room` are RoomErrorCode, those of `keybeat/batch` BatchErrorCode, of `keybeat/game` GameErrorCode.
 */
export type KeybeatErrorCode =
  | "invalid_key"
  | "key_expired"
  | "key_revoked"
  | "key_in_use"
  | "session_id_used"
  | "proof_required"
  | "lease_unavailable"
  | "invalid_request"
  | LostReason
  | RoomErrorCode
  | BatchErrorCode
  | GameErrorCode;

/**
 * - `queue_full`: too many are waiting. `user_not_found`: the user has no place, or has lost it.
 * - `not_active`: the user has no seat, or has lost it while the work was under way.
 * - `too_many_requests`: all permits were taken, and none was given back in time.
 * - `unauthorized`, `forbidden`: the token is missing, bad, or another user's.
 * - `unavailable`: the service itself is in trouble. `unreachable`: no answer that could be the service's.
 */
export type RoomErrorCode =
  | "queue_full"
  | "user_not_found"
  | "not_active"
  | "too_many_requests"
  | "unauthorized"
  | "forbidden"
  | "invalid_request"
  | "unavailable"
  | "unreachable";

/**
 * - `claimed`: another worker has the run, and was heard of just now. `attempt_replaced`: another has taken it over. Both
 *   with `data.holder`.
 * - `session_not_found`: there is no such run (any more).
 * - `too_many_nodes`, `unknown_node`: the nodes given are not those of the run. `run_full`: it holds as many results as it may.
 * - `unauthorized`, `forbidden`: the token is missing or bad.
 * - `unreachable`: no answer for too long.
 * - Of a node's signal also `session_over`: the run is over, see `data.status` and `data.ended_reason`; and `stopped`: the
 *   worker itself was stopped.
 */
export type BatchErrorCode =
  | "claimed"
  | "attempt_replaced"
  | "session_not_found"
  | "too_many_nodes"
  | "unknown_node"
  | "run_full"
  | "unauthorized"
  | "forbidden"
  | "invalid_request"
  | "unreachable"
  | "session_over"
  | "stopped";

/**
 * - `session_not_found`: there is no such session (any more), it is another player's, or it is no match.
 * - `session_over`: it has ended, see `data.status` and `data.ended_reason`. `paused`: it stands still.
 * - `version_conflict`, `precondition_failed`: it has been changed since; `data.version` is the present one.
 * - `cooldown`: too early, `data.ready_in` says by how many seconds. `not_active`: the player is eliminated or has left.
 * - `not_participant`, `unknown_target`: who acts, or is aimed at, takes no part. `action_conflict`: another action had the id.
 * - `full`, with `data.places_left`; `not_open`: nobody joins or leaves this match by themselves.
 * - `idempotency_conflict`: another request had the key. `forbidden`: the token is another player's.
 */
export type GameErrorCode =
  | "session_not_found"
  | "session_over"
  | "paused"
  | "version_conflict"
  | "precondition_failed"
  | "cooldown"
  | "not_active"
  | "not_participant"
  | "unknown_target"
  | "action_conflict"
  | "full"
  | "not_open"
  | "idempotency_conflict"
  | "payload_too_large"
  | "unauthorized"
  | "forbidden"
  | "invalid_request"
  | "unreachable";

/** The service's answer beyond code and message; empty for trouble on the way. */
export interface KeybeatErrorData {
  /** The device that holds the key; with `keybeat/batch` the worker that has the run. */
  holder?: Holder & Partial<BatchHolder>;
  request_id?: string;
  issues?: { path: string; message: string }[];
  [more: string]: unknown;
}

/** The client's only error class: thrown by startSession, and the reason of a session's signal. */
export class KeybeatError extends Error {
  override readonly name = "KeybeatError";
  readonly code: KeybeatErrorCode;
  readonly data: KeybeatErrorData;

  constructor(code: KeybeatErrorCode, message: string, data: KeybeatErrorData = {}, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.data = data;
  }
}
