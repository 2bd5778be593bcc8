/**
 * Nobody expires early: only after a whole timeout of silence, in which our own outages do not count (G6). And nobody lives
 * on after it.
 */
import type { Call } from "../load/call.ts";
import {
  type Circumstances,
  describeCall,
  type History,
  isBeat,
  LATE_MS,
  mayHaveActed,
  type Violation,
} from "./history.ts";
import type { KeyStory, SessionStory, Sighting } from "./story.ts";
import { findSuccessor } from "./succession.ts";

/** Silence of the service longer than this is an outage; a shorter one is the devices' own affair. */
const GAP_MS = 3_000;
/** What a crash of the database may lose of heartbeats (G7). */
const LOST_MS = 1_000;

export function checkExpiry(story: KeyStory, history: History): Violation[] {
  return story.sessions.flatMap((session) => [
    ...checkTooEarly(story, session, history),
    ...checkOutlived(session, history),
  ]);
}

function checkTooEarly(story: KeyStory, session: SessionStory, { circumstances }: History): Violation[] {
  const over = overAsExpired(story, session);
  const beatAt = lastBeatAt(session, circumstances);
  if (!over || beatAt === undefined) return [];
  const deadline = earliestDeadline(beatAt, circumstances.timeoutMs, circumstances);
  if (over.at >= deadline) return [];
  const early = ((deadline - over.at) / 1000).toFixed(1);
  const beat = (beatAt / 1000).toFixed(3);
  const sentence = `expired at least ${early} s early, after a beat sent at ${beat} s: ${describeCall(over.call)}`;
  return [{ rule: "early-expiry", sentence }];
}

/** A gap in service lets a session outlive its silence until a timeout after it; so nothing is said of what came before. */
function checkOutlived(session: SessionStory, { circumstances, rows }: History): Violation[] {
  const { timeoutMs, clock } = circumstances;
  const creditUntil = rows.gap
    ? rows.gap.endedAt - clock.offsetMs + timeoutMs + clock.errorMs
    : Number.NEGATIVE_INFINITY;
  const beats = session.calls.filter((call) => isBeat(call) && mayHaveActed(call));
  // A start that was asked before, in vain, begins only now.
  const begins = ({ sessionId, answer }: Call) =>
    sessionId === session.id && answer.is === "started" && !answer.resumed;
  const judged = session.lives.filter((call) => call.sentAt > creditUntil && !begins(call));
  return judged.flatMap((call) => {
    const before = beats.filter((beat) => beat !== call && beat.sentAt < call.answeredAt);
    const lastAt = Math.max(...before.map((beat) => beat.answeredAt + (beat.answer.is === "unknown" ? LATE_MS : 0)));
    if (before.length === 0 || call.sentAt <= lastAt + timeoutMs) return [];
    const silent = ((call.sentAt - lastAt) / 1000).toFixed(1);
    return [{ rule: "outlived-silence", sentence: `live after ${silent} s of silence: ${describeCall(call)}` }];
  });
}

/** By when it was over; undefined where it ended in another way, or is not known to be over. */
function overAsExpired(story: KeyStory, session: SessionStory): Sighting | undefined {
  const told = session.calls.some(({ answer }) => answer.is === "ended" && answer.reason !== "expired");
  if (told || session.ended.some((row) => row.reason !== "expired")) return undefined;
  const successor = findSuccessor(story, session);
  const { gone } = session;
  return gone && successor ? (gone.at <= successor.at ? gone : successor) : (gone ?? successor);
}

/** The sending of the last heartbeat, start or lease with proof that surely counts; if none was answered, of its first start. */
export function lastBeatAt(session: SessionStory, { crashes }: Circumstances): number | undefined {
  const counts = session.calls.filter(
    (call) =>
      isBeat(call) &&
      (/^(started|leased)$/.test(call.answer.is) || (call.answer.is === "live" && !mayBeLost(call, crashes))),
  );
  if (counts.length > 0) return Math.max(...counts.map((call) => firstSent(session, call)));
  return session.starts.length > 0 ? Math.min(...session.starts.map((start) => start.sentAt)) : undefined;
}

/** A beat with proof that is sent again is the same one, and no second sign of life. */
function firstSent({ calls }: SessionStory, { proof, sentAt }: Call): number {
  const same = proof ? calls.filter((call) => call.proof?.beatId === proof.beatId) : [];
  return Math.min(sentAt, ...same.map((call) => call.sentAt));
}

/** A crash of the database may lose what kept something alive just before (G7). */
export function mayBeLost(
  { sentAt, answeredAt }: Pick<Call, "sentAt" | "answeredAt">,
  crashes: Circumstances["crashes"],
): boolean {
  return crashes.some(({ from, to }) => sentAt < to && answeredAt > from - LOST_MS);
}

/** Until when a session heard of then must not count as silent. */
export function earliestDeadline(beatAt: number, timeoutMs: number, { outages }: Circumstances): number {
  let deadline = beatAt + timeoutMs;
  for (const { from, to } of outages.toSorted((a, b) => a.from - b.from)) {
    const began = beatAt < to && from < deadline;
    if (began && to - from > GAP_MS) deadline = Math.max(deadline, to + timeoutMs);
  }
  return deadline;
}
