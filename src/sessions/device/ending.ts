import type { Ended } from "./contract.ts";
import type { EndingReason } from "./endings.ts";
import type { LookRow } from "./sql.ts";

/** How a session ended, as its device is told. */
export interface Ending {
  reason: EndingReason;
  /** The body of the 410, and the data of the stream's final event. */
  data: Ended;
}

/** The ending of a session that is over. */
export function endingOf(row: LookRow): Ending {
  const reason = row.outcome as EndingReason;
  const ended_at = row.moment.toISOString();
  // The session that replaced it started at the very moment it ended.
  const by = reason === "replaced" && { replaced_by: { started_at: ended_at, device: row.replaced_by_device } };
  return { reason, data: { ended_at, ...by, ...(row.note !== null && { reason: row.note }) } };
}

/** What the callers of a session that ended as a copy are told who know nothing of proofs: words that all of them know. */
const IN_USE_TWICE = "This session's id is in use on two devices";

/** The ending as a caller is told it whose beats have proof, or have none. */
export function tellEnding(ending: Ending, withProof: boolean): Ending {
  if (ending.reason !== "cloned" || withProof) return ending;
  return { reason: "revoked", data: { ...ending.data, reason: IN_USE_TWICE } };
}
