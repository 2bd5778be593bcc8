/** What the service's refusals mean for a session that was live. */

import type { Refusal } from "./answer.ts";
import type { LostEvent, LostReason } from "./events.ts";

const REASONS: { [code: string]: LostReason } = {
  key_in_use: "replaced",
  invalid_key: "revoked",
  key_revoked: "revoked",
  key_expired: "revoked",
  session_not_found: "expired",
  // Another process with this session id shows proof.
  proof_required: "cloned",
};

/** The event for a refusal; undefined if it ends nothing, such as a malformed request. */
export function readLoss(refusal: Refusal): LostEvent | undefined {
  const { code, ended_at = null, replaced_by, holder } = refusal;
  // A code that is newer than this client is an ending all the same.
  const reason = REASONS[code] ?? (/^session_([a-z]+)$/.exec(code)?.[1] as LostReason | undefined);
  const by = replaced_by ?? (holder ? { started_at: holder.started_at, device: holder.device } : null);
  return reason && { type: "lost", reason, final: reason !== "expired", by, ended_at, code };
}

export const UNREACHABLE: LostEvent = {
  type: "lost",
  reason: "unreachable",
  final: false,
  by: null,
  ended_at: null,
  code: null,
};
