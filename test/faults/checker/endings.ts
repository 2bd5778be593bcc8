/** Endings are final, the same whichever call reports them, and each has a cause. */
import { type Call, deviceName, type EndingReason } from "../load/call.ts";
import { describeCall, mayHaveActed, type Violation } from "./history.ts";
import type { KeyStory, SessionStory } from "./story.ts";

export function checkEndings(story: KeyStory): Violation[] {
  return story.sessions.flatMap((session) => {
    const tellings = tellingsOf(session);
    return [
      ...checkAgreement(session, tellings),
      ...checkOnce(session),
      ...checkCause(session, tellings),
      ...checkSuccessorNamed(story, session),
    ];
  });
}

/** What somebody says of how a session ended; `by` undefined: the rows. */
interface Telling {
  reason: EndingReason;
  /** On the database's clock, in whole milliseconds; an end or a kick does not say. */
  endedAt?: number;
  by?: Call;
}

function tellingsOf(session: SessionStory): Telling[] {
  const told = session.calls.flatMap((call): Telling[] => {
    const { answer, operation } = call;
    if (answer.is === "ended") return [{ reason: answer.reason, endedAt: answer.endedAt, by: call }];
    if (answer.is !== "done" || !answer.success) return [];
    return [{ reason: operation === "kick" ? "revoked" : "ended", by: call }];
  });
  return [...told, ...session.ended.map((row) => ({ reason: row.reason, endedAt: Math.floor(row.endedAt) }))];
}

function checkAgreement(session: SessionStory, tellings: Telling[]): Violation[] {
  const who = session.id.slice(0, 8);
  const violations: Violation[] = [];
  const [first] = tellings;
  const other = tellings.find((telling) => telling.reason !== first?.reason);
  if (first && other) {
    violations.push({
      rule: "two-reasons",
      sentence: `${who} ended twice over: ${describe(first)}; ${describe(other)}`,
    });
  }
  const dated = tellings.filter((telling) => telling.endedAt !== undefined);
  const moved = dated.find((telling) => telling.endedAt !== dated[0]?.endedAt);
  if (moved && dated[0]) {
    const sentence = `${who} ended at two moments: ${describe(dated[0])}; ${describe(moved)}`;
    violations.push({ rule: "two-moments", sentence });
  }
  if (first && session.active.length > 0) {
    violations.push({ rule: "lost-end", sentence: `${who} is still in active_sessions: ${describe(first)}` });
  }
  if (first && session.ended.length === 0 && session.active.length === 0) {
    violations.push({ rule: "lost-end", sentence: `${who} is not in the history: ${describe(first)}` });
  }
  return violations;
}

/** Two calls cannot both have ended one session. */
function checkOnce(session: SessionStory): Violation[] {
  const ends = session.calls.filter(({ answer }) => answer.is === "done" && answer.success);
  return ends.length < 2 ? [] : [{ rule: "ended-twice", sentence: ends.map(describeCall).join("; ") }];
}

/** `ended` needs an end that was sent before it was told, `revoked` a kick; those that answered false do not count. */
function checkCause(session: SessionStory, tellings: Telling[]): Violation[] {
  return tellings.flatMap((telling) => {
    const operation = telling.reason === "ended" ? "end" : telling.reason === "revoked" ? "kick" : undefined;
    if (operation === undefined) return [];
    const caused = session.calls.some(
      (call) =>
        call.operation === operation &&
        mayHaveActed(call) &&
        call.sentAt <= (telling.by?.answeredAt ?? Number.POSITIVE_INFINITY),
    );
    if (caused) return [];
    const sentence = `nobody had asked for it: ${session.id.slice(0, 8)}, ${describe(telling)}`;
    return [{ rule: `unexplained-${telling.reason}`, sentence }];
  });
}

/** A device that was replaced is told by which device. */
function checkSuccessorNamed(story: KeyStory, session: SessionStory): Violation[] {
  const by = story.byGeneration.get(session.ended[0]?.replacedByGeneration ?? Number.NaN);
  if (!by) return [];
  return session.calls.flatMap((call) => {
    const { answer } = call;
    if (answer.is !== "ended" || answer.reason !== "replaced" || answer.by === deviceName(by.id)) return [];
    const sentence = `not told that it was replaced by ${deviceName(by.id)}: ${describeCall(call)}`;
    return [{ rule: "wrong-successor", sentence }];
  });
}

const describe = ({ reason, endedAt, by }: Telling): string =>
  by ? describeCall(by) : `the history says ${reason} at ${endedAt}`;
