/** What odd histories of one key are made of; the clocks are one. */
import { checkHistory } from "../checker/check.ts";
import type { ActiveRow, EndedRow, History } from "../checker/history.ts";
import { type Answer, type Call, maskSessionId, type Operation } from "../load/call.ts";
import { emptyRoom, SAMPLE_TIMEOUTS } from "./room-sample.ts";

export const TIMEOUT_MS = 5_000;
/** Two rivals for one key. */
export const [A, B] = ["aaaaaaaa-of-device-a", "bbbbbbbb-of-device-b"];

export const unknown: Answer = { is: "unknown", why: "503" };
export const started = (
  generation: number,
  startedAt: number,
  changes: { resumed?: boolean; previous?: string } = {},
): Answer => ({
  is: "started",
  generation,
  startedAt,
  resumed: changes.resumed ?? false,
  previous: changes.previous ? maskSessionId(changes.previous) : null,
});
export const live = (generation: number): Answer => ({ is: "live", generation });
export const ended = (reason: EndedRow["reason"], endedAt: number): Answer => ({ is: "ended", reason, endedAt });

export function call(
  operation: Operation,
  sessionId: string,
  [sentAt, answeredAt]: [number, number],
  answer: Answer,
  changes: Partial<Call> = {},
): Call {
  return { operation, key: 1, sessionId, server: 0, status: 200, sentAt, answeredAt, answer, ...changes };
}

export function row(sessionId: string, generation: number, [startedAt, lastHeartbeat]: [number, number]): ActiveRow {
  return { key: 1, sessionId, generation, startedAt, lastHeartbeat };
}

export const over = (
  active: ActiveRow,
  reason: EndedRow["reason"],
  endedAt: number,
  replacedByGeneration: number | null = null,
): EndedRow => ({
  ...active,
  reason,
  endedAt,
  replacedByGeneration,
});

/** The rules that are broken. */
export function judge(
  calls: Call[],
  rows: Array<ActiveRow | EndedRow>,
  circumstances: Partial<History["circumstances"]> = {},
  gap: History["rows"]["gap"] = null,
  copies: History["copies"] = [],
): string[] {
  const generation = Math.max(0, ...rows.map((one) => one.generation));
  const violations = checkHistory({
    calls,
    streams: [],
    copies,
    roomCalls: [],
    batchCalls: [],
    matchCalls: [],
    circumstances: {
      timeoutMs: TIMEOUT_MS,
      roomTimeoutMs: SAMPLE_TIMEOUTS,
      outages: [],
      crashes: [],
      clock: { offsetMs: 0, errorMs: 0 },
      ...circumstances,
    },
    rows: {
      keys: [{ key: 1, generation }],
      active: rows.filter((one) => !("endedAt" in one)),
      history: rows.filter((one): one is EndedRow => "endedAt" in one),
      gap,
      room: emptyRoom(),
      batch: [],
      matches: [],
    },
  });
  return violations.map((violation) => violation.rule);
}
