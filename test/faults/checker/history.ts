/** What the checker is given: the recorded calls, what is known of the circumstances, and the rows as they are afterwards. */
import type { Call, EndingReason, Stream } from "../load/call.ts";

export interface History {
  calls: Call[];
  streams: Stream[];
  circumstances: Circumstances;
  rows: Rows;
}

/** Times are milliseconds on the clock of the calls, unless said otherwise. */
export interface Circumstances {
  /** After so long a silence a session expires. */
  timeoutMs: number;
  /** Times in which surely nobody was served: from after it was broken to before it was mended. */
  outages: Array<{ from: number; to: number }>;
  /** When the database was killed, until the last of it was gone: the last second of heartbeats before may be lost (G7). */
  crashes: Array<{ from: number; to: number }>;
  /** The database's clock less that of the calls, and how wrong that may be. */
  clock: { offsetMs: number; errorMs: number };
}

/** Moments in the rows are milliseconds on the database's clock. */
export interface Rows {
  keys: Array<{ key: number; generation: number }>;
  active: ActiveRow[];
  history: EndedRow[];
  /** The last gap in service that the database knows of. */
  gap: { beganAt: number; endedAt: number } | null;
}

export interface ActiveRow {
  key: number;
  sessionId: string;
  generation: number;
  startedAt: number;
  lastHeartbeat: number;
}

export interface EndedRow extends ActiveRow {
  endedAt: number;
  reason: EndingReason;
  replacedByGeneration: number | null;
}

export interface Violation {
  rule: string;
  /** What must not be and is, with the calls that show it. */
  sentence: string;
}

/** How long after its caller was told "unknown" a call may take effect, outages aside: two waits for a lock, and some. */
export const LATE_MS = 5_000;

/** Whether a call did what it asked for, or may have. */
export function mayHaveActed({ answer }: Call): boolean {
  return ["unknown", "started", "live"].includes(answer.is) || (answer.is === "done" && answer.success);
}

/** A call in one line, as it stands in a violation. */
export function describeCall({ operation, sessionId, server, sentAt, answeredAt, answer }: Call): string {
  const { is, ...rest } = answer;
  const said = Object.entries(rest).map(([name, value]) => `${name} ${value}`);
  const seconds = (ms: number) => (ms / 1000).toFixed(3);
  return (
    `[${seconds(sentAt)}–${seconds(answeredAt)} s, ${server < 0 ? "operator" : `server ${server}`}] ` +
    `${operation} ${sessionId.slice(0, 8) || "(no id)"} → ${[is, ...said].join(", ")}`
  );
}
