import { AppError, type ErrorCode } from "../../errors.ts";
import type { Holder } from "./contract.ts";
import { type Ending, tellEnding } from "./ending.ts";
import { ENDINGS } from "./endings.ts";
import type { HolderJson } from "./sql.ts";

const REFUSALS = {
  invalid_key: "Invalid access key",
  key_expired: "This access key has expired",
  key_revoked: "This access key has been revoked",
  key_in_use: "Another device is using this access key",
  holder_changed: "Another device has taken this access key over in the meantime",
  session_id_used: "This session id has been used before, please start with a new one",
} satisfies Partial<Record<ErrorCode, string>>;

/**
 * Why a call with an access key changes nothing; with its holder, where there is one, but never its session id, and until
 * when a lease keeps the key from others.
 */
export function refusal(code: keyof typeof REFUSALS, holder: HolderJson | null, leasedUntil?: Date | null): AppError {
  const until = leasedUntil ? { leased_until: leasedUntil.toISOString() } : {};
  return new AppError(code, REFUSALS[code], holder ? { holder: seenHolder(holder), ...until } : {});
}

/** What a call is told for a session that is not live; a caller whose beats have proof is told of a copy as such. */
export function notLive(ending: Ending | "unknown", withProof: boolean): AppError {
  if (ending === "unknown") return new AppError("session_not_found", "Session not found or expired");
  const { reason, data } = tellEnding(ending, withProof);
  return new AppError(`session_${reason}`, ENDINGS[reason].message, data);
}

function seenHolder(holder: HolderJson): Holder {
  return {
    generation: holder.generation,
    started_at: new Date(holder.started_at).toISOString(),
    last_heartbeat: new Date(holder.last_heartbeat).toISOString(),
    device: holder.device,
  };
}

/** The key's sessions end again and again. */
export function tooOften(retryAfterSeconds: number): AppError {
  const message = "This access key is being started again and again, please try again in a moment";
  return new AppError("rate_limited", message, {}, { retryAfterSeconds });
}
