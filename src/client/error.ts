import type { Holder } from "../sessions/device/contract.ts";
import type { LostReason } from "./events.ts";

/**
 * - `invalid_key`, `key_expired`, `key_revoked`: the key is no good.
 * - `key_in_use`: another device holds it, and the caller (or `ask`) said to leave it; `data.holder` tells who.
 * - `session_id_used`: this start went through, its answer was lost, and its session is over already.
 * - `invalid_request`: the request is malformed, see `data.issues`.
 * - `unreachable`: no answer within `startTimeoutMs`; the last try's trouble is the message.
 * - The others are `session.signal.reason` of a session that is over.
 */
export type KeybeatErrorCode =
  | "invalid_key"
  | "key_expired"
  | "key_revoked"
  | "key_in_use"
  | "session_id_used"
  | "invalid_request"
  | LostReason;

/** The service's answer beyond code and message; nothing of it for trouble on the way. */
export interface KeybeatErrorData {
  holder?: Holder;
  request_id?: string;
  issues?: { path: string; message: string }[];
  [more: string]: unknown;
}

/** The one error of this client: thrown by startSession, and the reason of a session's signal. */
export class KeybeatError extends Error {
  override readonly name = "KeybeatError";
  readonly code: KeybeatErrorCode;
  readonly data: KeybeatErrorData;

  constructor(code: KeybeatErrorCode, message: string, data: KeybeatErrorData = {}) {
    super(message);
    this.code = code;
    this.data = data;
  }
}
