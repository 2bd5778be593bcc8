/**
 * The one error for what cannot go on, with a closed set of codes: clients rely on them, so a code is never renamed
 * and never given another meaning. STATUS is complete by type: a new code without a status does not compile. (An API
 * whose errors have a shape of their own may answer a code with another status: see ErrorShape.)
 */
export const STATUS = {
  invalid_request: 400,
  unknown_target: 400,
  unauthorized: 401,
  forbidden: 403,
  invalid_key: 403,
  key_expired: 403,
  key_revoked: 403,
  csrf_failed: 403,
  not_active: 403,
  not_participant: 403,
  not_found: 404,
  session_not_found: 404,
  key_not_found: 404,
  user_not_found: 404,
  player_not_found: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  key_in_use: 409,
  holder_changed: 409,
  session_id_used: 409,
  key_exists: 409,
  not_waiting: 409,
  room_full: 409,
  idempotency_conflict: 409,
  claimed: 409,
  attempt_replaced: 409,
  invalid_transition: 409,
  results_disagree: 409,
  session_over: 409,
  too_many_nodes: 409,
  unknown_node: 409,
  run_full: 409,
  not_resumable: 409,
  version_conflict: 409,
  action_conflict: 409,
  cooldown: 409,
  paused: 409,
  full: 409,
  not_open: 409,
  proof_challenge: 409,
  proof_required: 409,
  lease_unavailable: 409,
  session_replaced: 410,
  session_expired: 410,
  session_ended: 410,
  session_revoked: 410,
  session_cloned: 410,
  precondition_failed: 412,
  payload_too_large: 413,
  unsupported_media_type: 415,
  rate_limited: 429,
  too_many_requests: 429,
  headers_too_large: 431,
  internal_error: 500,
  unavailable: 503,
  queue_full: 503,
} as const;

export type ErrorCode = keyof typeof STATUS;

export class AppError extends Error {
  readonly code: ErrorCode;
  /** What the answer carries beyond error, code and request_id. */
  readonly data: Record<string, unknown>;
  /** When the caller may try again, where that is known. */
  readonly retryAfterSeconds: number | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    data: Record<string, unknown> = {},
    options: ErrorOptions & { retryAfterSeconds?: number } = {},
  ) {
    super(message, options);
    this.name = "AppError";
    this.code = code;
    this.data = data;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/** Our own trouble: the caller may try again soon. The cause goes to the log, never to the caller. */
export function unavailable(cause?: unknown): AppError {
  return new AppError("unavailable", "The service is temporarily unavailable, please try again", {}, { cause });
}

/** A reason to stop that a person can act on: printed as one line, without a stack, and the process exits with 1. */
export class OperatorError extends Error {
  override readonly name = "OperatorError";
}

/** The command line was used wrongly: one line, exit 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
