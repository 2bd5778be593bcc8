/**
 * The moments in the rows, which the database's clock sets, beside the calls that caused them: nothing happened before it
 * was asked for, nothing long after its caller was answered, and no acknowledged heartbeat is lost.
 */
import type { Call } from "../load/call.ts";
import { lastBeatAt } from "./expiry.ts";
import {
  type ActiveRow,
  describeCall,
  type EndedRow,
  type History,
  isBeat,
  mayActAt,
  mayHaveActed,
  type Violation,
} from "./history.ts";
import { hasProof } from "./proof.ts";
import type { KeyStory, SessionStory } from "./story.ts";

export function checkMoments(story: KeyStory, history: History): Violation[] {
  return story.sessions.flatMap((session) => [
    ...session.active.flatMap((row) => checkRow(session, row, history)),
    ...session.ended.flatMap((row) => [...checkRow(session, row, history), ...checkEnd(story, session, row, history)]),
  ]);
}

function checkRow(session: SessionStory, row: ActiveRow, history: History): Violation[] {
  const { offsetMs, errorMs } = history.circumstances.clock;
  const violations = judgeCause("start", row.startedAt, session.starts, history);
  const beats = session.calls.filter((call) => isBeat(call) && (call.proof || !hasProof(session)));
  violations.push(...judgeCause("heartbeat", row.lastHeartbeat, beats, history));
  for (const { answer, ...call } of session.starts) {
    if (answer.is === "started" && answer.startedAt !== Math.floor(row.startedAt)) {
      const sentence = `the rows say that it started at ${row.startedAt}: ${describeCall({ ...call, answer })}`;
      violations.push({ rule: "two-moments", sentence });
    }
  }
  const beatAt = lastBeatAt(session, history.circumstances);
  const acknowledged = session.calls.some(({ answer }) => answer.is === "live" || answer.is === "started");
  if (acknowledged && beatAt !== undefined && row.lastHeartbeat - offsetMs < beatAt - errorMs) {
    const lost = ((beatAt - (row.lastHeartbeat - offsetMs)) / 1000).toFixed(1);
    const sentence = `${session.id.slice(0, 8)} was acknowledged a heartbeat ${lost} s after the last one in the rows`;
    violations.push({ rule: "lost-heartbeat", sentence });
  }
  return violations;
}

function checkEnd(story: KeyStory, session: SessionStory, row: EndedRow, history: History): Violation[] {
  const who = session.id.slice(0, 8);
  if (row.reason === "ended" || row.reason === "revoked") {
    const operation = row.reason === "ended" ? "end" : "kick";
    const causes = session.calls.filter((call) => call.operation === operation);
    return causes.length === 0 ? [] : judgeCause(operation, row.endedAt, causes, history);
  }
  if (row.reason === "expired") {
    const silentMs = row.endedAt - row.lastHeartbeat;
    if (silentMs >= history.circumstances.timeoutMs) return [];
    return [{ rule: "early-expiry", sentence: `${who} is said to have expired after a silence of ${silentMs} ms` }];
  }
  const by = story.byGeneration.get(row.replacedByGeneration ?? Number.NaN);
  const startedAt = [...(by?.active ?? []), ...(by?.ended ?? [])][0]?.startedAt;
  if (startedAt === undefined || startedAt === row.endedAt) return [];
  const sentence = `${who} is said to be replaced at ${row.endedAt}, by one that started at ${startedAt}`;
  return [{ rule: "two-moments", sentence }];
}

/** Whether something that happened at a moment of the database's clock can be the effect of one of these calls. */
function judgeCause(what: string, moment: number, calls: Call[], { circumstances }: History): Violation[] {
  const at = moment - circumstances.clock.offsetMs;
  // Heartbeats whose answer is lost are sent once more, and the session may have ended in between.
  const twice = ({ answer }: Call) => what === "heartbeat" && answer.is === "ended";
  const asked = calls.filter((call) => mayHaveActed(call) || twice(call));
  if (asked.length === 0 || asked.some((call) => mayActAt(call, at, circumstances))) return [];
  const nearest = asked.reduce((best, call) => (distance(call, at) < distance(best, at) ? call : best));
  const sentence = `a ${what} took effect at ${(at / 1000).toFixed(3)} s, which no call explains; nearest: ${describeCall(nearest)}`;
  return [{ rule: `misplaced-${what}`, sentence }];
}

const distance = (call: Call, at: number): number => Math.max(call.sentAt - at, at - call.answeredAt, 0);
