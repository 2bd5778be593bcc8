/** The checker's input: the recorded calls, the known circumstances, and the rows afterwards. */
import type { Move } from "../../sessions/waiting-room/support/replay.ts";
import type { BatchCall, Ending, NodeValue } from "../load/batch-call.ts";
import type { Call, Copied, EndingReason, Stream } from "../load/call.ts";
import type { MatchCall, MatchView, ToldEvent } from "../load/match-call.ts";
import type { RoomCall } from "../load/room-call.ts";

export interface History {
  calls: Call[];
  streams: Stream[];
  /** The sessions whose id two processes really had at once. */
  copies: Copied[];
  roomCalls: RoomCall[];
  batchCalls: BatchCall[];
  matchCalls: MatchCall[];
  circumstances: Circumstances;
  rows: Rows;
}

/** Times are milliseconds on the clock of the calls, unless said otherwise. */
export interface Circumstances {
  /** After so long a silence a session expires. */
  timeoutMs: number;
  /** After so long a silence a place of the waiting room is lost, by the move with which it is; and a permit in any case. */
  roomTimeoutMs: Record<"abandoned" | "expired" | "unclaimed" | "permit", number>;
  /** Times in which certainly nobody was served: from after the break to before the repair. */
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
  room: RoomRows;
  batch: BatchRun[];
  matches: MatchRow[];
}

/** What it was made with, how the service shows it, and its events, in the order of their sequences. */
export interface MatchRow extends Required<Pick<MatchView, "state" | "version" | "standings" | "numbers" | "winner">> {
  match: string;
  sessionId: string;
  reason: string | null;
  founders: string[];
  isPrepared: boolean;
  health: number;
  places: number;
  events: MatchEvent[];
}

export type MatchEvent = ToldEvent & { at: number };

export interface BatchRun extends Ending {
  path: string;
  sessionId: string;
  attempt: number;
  /** Successes, failures, skipped ones, as the service counts. */
  counts: number[];
  /** Those that are in. */
  nodes: Record<string, NodeValue>;
  /** In the order of their ids. */
  // biome-ignore lint/suspicious/noExplicitAny: what an event says depends on what it is
  events: Array<{ id: number; event: string; data: any }>;
}

export type RoomMove = Move & { at: number };

export interface RoomRows {
  /** In the order of their ids. */
  moves: RoomMove[];
  /** The line, next user first, and the seated. */
  line: string[];
  seated: string[];
  /** What the room's own row counts. */
  counts: { active: number; waiting: number };
  /** Those that are granted. */
  permits: string[];
  permitsMax: number;
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

const SAID_LENGTH_MAX = 600;

/** How long after its caller was told "unknown" a call may take effect, outages aside: two waits for a lock, and some. */
export const LATE_MS = 5_000;

/** Whether a call is a sign of life, once it is accepted. */
export const isBeat = ({ operation, proof }: Call): boolean =>
  operation === "heartbeat" || operation === "start" || (operation === "lease" && proof !== undefined);

/** Whether a call did what it asked for, or may have. */
export function mayHaveActed({ answer }: Call): boolean {
  return ["unknown", "started", "live", "leased"].includes(answer.is) || (answer.is === "done" && answer.success);
}

/**
 * Whether what happened then, on the clock of the calls, can be the effect of this one. What had an unknown outcome may be
 * carried out later.
 */
export function mayActAt(call: Timed, at: number, circumstances: Circumstances): boolean {
  const { errorMs } = circumstances.clock;
  return at >= call.sentAt - errorMs && at <= lastEffect(call, circumstances) + errorMs;
}

/** When at the latest it has its effect, if any. */
export function lastEffect({ sentAt, answeredAt, answer }: Timed, { outages }: Circumstances): number {
  let until = answeredAt;
  if (answer.is === "unknown") {
    until += LATE_MS;
    for (const outage of outages.toSorted((a, b) => a.from - b.from)) {
      if (outage.from <= until && outage.to >= sentAt) until = Math.max(until, outage.to + LATE_MS);
    }
  }
  return until;
}

type Timed = Pick<Call | RoomCall | BatchCall | MatchCall, "sentAt" | "answeredAt" | "answer">;

/** A call in one line, as violations show it. */
export function describeCall(call: Call | RoomCall | BatchCall | MatchCall): string {
  const { operation, server, sentAt, answeredAt, answer } = call;
  const { is, ...rest } = answer;
  const said = Object.entries(rest).map(
    ([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value).slice(0, SAID_LENGTH_MAX) : value}`,
  );
  const seconds = (ms: number) => (ms / 1000).toFixed(3);
  return (
    `[${seconds(sentAt)}–${seconds(answeredAt)} s, ${server < 0 ? "operator" : `server ${server}`}] ` +
    `${operation} ${describeSubject(call)} → ${[is, ...said].join(", ")}`
  );
}

function describeSubject(call: Call | RoomCall | BatchCall | MatchCall): string {
  if ("user" in call) return call.user || "(nobody)";
  if ("path" in call) return [call.path, call.node, call.attempt].join(" ");
  if ("match" in call) return [call.match, `by ${call.by.slice(0, 8)}`, call.action?.id].join(" ").trim();
  return call.sessionId.slice(0, 8) || "(no id)";
}
