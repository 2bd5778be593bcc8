/** Starts: none that was acknowledged is lost, none that was refused happened, none happened twice or unasked. */
import { describeCall, type Violation } from "./history.ts";
import type { KeyStory, SessionStory } from "./story.ts";

export function checkStarts(story: KeyStory): Violation[] {
  return story.sessions.flatMap((session) => [
    ...checkKept(session),
    ...checkAsked(session),
    ...checkFresh(session),
    ...checkRefused(session),
  ]);
}

const existsInRows = (session: SessionStory) => session.active.length + session.ended.length > 0;

function checkKept(session: SessionStory): Violation[] {
  if (!session.born || existsInRows(session)) return [];
  const sentence = `${session.id.slice(0, 8)} had begun and is nowhere in the rows: ${describeCall(session.born.call)}`;
  return [{ rule: "lost-start", sentence }];
}

/** Whatever exists was asked for, and is not seen before that. */
function checkAsked(session: SessionStory): Violation[] {
  const { born, starts } = session;
  if (starts.length === 0) {
    const seen = existsInRows(session) || born;
    return seen ? [{ rule: "row-of-nobody", sentence: `${session.id.slice(0, 8)} exists, and nobody started it` }] : [];
  }
  const asked = Math.min(...starts.map((start) => start.sentAt));
  if (!born || born.at >= asked) return [];
  const sentence = `seen before its first start was sent, at ${(asked / 1000).toFixed(3)} s: ${describeCall(born.call)}`;
  return [{ rule: "seen-before-start", sentence }];
}

/** One start of an id is the fresh one; every other finds it there. */
function checkFresh(session: SessionStory): Violation[] {
  const fresh = session.starts.filter(({ answer }) => answer.is === "started" && !answer.resumed);
  const violations: Violation[] = [];
  if (fresh.length > 1) {
    violations.push({ rule: "started-twice", sentence: fresh.map(describeCall).join("; ") });
  }
  for (const start of session.starts) {
    if (start.answer.is !== "started" || !start.answer.resumed) continue;
    const other = session.starts.some(
      (first) => first !== start && first.sentAt <= start.answeredAt && first.answer.is !== "refused",
    );
    if (!other) {
      violations.push({ rule: "resumed-nothing", sentence: `resumed what nobody had started: ${describeCall(start)}` });
    }
  }
  return violations;
}

/** A start's 4xx has changed nothing; and it does not meet its own live session. */
function checkRefused(session: SessionStory): Violation[] {
  const refused = session.starts.filter(({ answer }) => answer.is === "refused");
  const [first] = refused;
  if (!first) return [];
  const violations: Violation[] = [];
  if (refused.length === session.starts.length && (session.born || existsInRows(session))) {
    const sentence = `${session.id.slice(0, 8)} exists, though each of its starts was refused: ${describeCall(first)}`;
    violations.push({ rule: "refused-yet-started", sentence });
  }
  for (const start of refused) {
    const used = start.answer.is === "refused" && start.answer.code === "session_id_used";
    if (used || !session.born || session.born.at > start.sentAt) continue;
    const sentence = `it had begun (${describeCall(session.born.call)}), so another's holding is no answer: ${describeCall(start)}`;
    violations.push({ rule: "refused-itself", sentence });
  }
  return violations;
}
