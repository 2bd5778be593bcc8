import type { Device, Ended } from "./contract.ts";
import type { EndingReason } from "./sql.ts";

/** How a session ended, as it is told to its device. */
export interface Ending {
  reason: EndingReason;
  /** The body of the 410, and the data of the stream's final event. */
  data: Ended;
}

export function describeEnding(row: {
  reason: EndingReason;
  endedAt: Date;
  replacedBy: Device | null;
  note: string | null;
}): Ending {
  const ended_at = row.endedAt.toISOString();
  // Whoever replaced it started at the very moment that it ended.
  const by = row.reason === "replaced" && { replaced_by: { started_at: ended_at, device: row.replacedBy } };
  return { reason: row.reason, data: { ended_at, ...by, ...(row.note !== null && { reason: row.note }) } };
}
