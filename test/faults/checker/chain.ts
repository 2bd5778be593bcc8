/** Takeovers: each start names exactly the session that it replaced, and the rows agree. */
import { type Call, maskSessionId } from "../load/call.ts";
import { describeCall, type EndedRow, type Violation } from "./history.ts";
import type { KeyStory, SessionStory } from "./story.ts";

export function checkChain(story: KeyStory): Violation[] {
  const replaced = story.sessions.flatMap((session) => session.ended).filter((row) => row.reason === "replaced");
  const violations = [...checkReplaced(story, replaced), ...checkNamedOnce(story)];
  for (const session of story.sessions) {
    for (const start of session.starts) {
      if (start.answer.is !== "started" || start.answer.resumed) continue;
      violations.push(
        ...judgeFresh(story, session, start, start.answer, replaced).map(([rule, what]) => ({
          rule,
          sentence: `${what}: ${describeCall(start)}`,
        })),
      );
    }
  }
  return violations;
}

/** The answer of one fresh start beside the rows. */
function judgeFresh(
  story: KeyStory,
  session: SessionStory,
  start: Call,
  { previous, generation }: Call["answer"] & { is: "started" },
  replaced: EndedRow[],
): Array<[rule: string, what: string]> {
  const row = replaced.find((other) => other.replacedByGeneration === generation);
  if (previous === null) {
    return row
      ? [["wrong-previous", `names nobody, but the rows say that it replaced ${row.sessionId.slice(0, 8)}`]]
      : [];
  }
  const named = story.byMask.get(previous);
  if (!named || named === session) return [["wrong-previous", "names a session that it cannot have replaced"]];
  if (named.ended.length > 0 && row?.sessionId !== named.id) {
    const whom = row ? row.sessionId.slice(0, 8) : "nobody";
    return [["wrong-previous", `names ${previous}, but the rows say that it replaced ${whom}`]];
  }
  const faults: Array<[string, string]> = [];
  if (start.refuse) faults.push(["replaced-unasked", "replaced a live session, though it was to leave one alone"]);
  const { expectedGeneration } = start;
  if (expectedGeneration !== undefined && named.generation !== undefined && named.generation !== expectedGeneration) {
    faults.push(["replaced-unasked", `replaced generation ${named.generation}, though it was to replace another`]);
  }
  return faults;
}

function checkNamedOnce(story: KeyStory): Violation[] {
  const by = new Map<string, Call>();
  const violations: Violation[] = [];
  for (const call of story.calls) {
    if (call.answer.is !== "started" || call.answer.previous === null) continue;
    const first = by.get(call.answer.previous);
    if (first) {
      const sentence = `two starts name the same one as replaced: ${describeCall(first)}; ${describeCall(call)}`;
      violations.push({ rule: "named-twice", sentence });
    }
    by.set(call.answer.previous, call);
  }
  return violations;
}

/** A replaced session has a successor that exists: the very next generation, of the same key. */
function checkReplaced(story: KeyStory, replaced: EndedRow[]): Violation[] {
  const generations = story.sessions.flatMap((session) => session.generation ?? []);
  return replaced.flatMap((row) => {
    const next = Math.min(...generations.filter((generation) => generation > row.generation));
    const twins = replaced.filter((other) => other.replacedByGeneration === row.replacedByGeneration);
    if (row.replacedByGeneration === next && twins.length === 1) return [];
    const who = maskSessionId(row.sessionId);
    const what = `${who} (generation ${row.generation}) is said to be replaced by generation ${row.replacedByGeneration}`;
    const why = twins.length > 1 ? "which replaced another one too" : `but the next start of the key has ${next}`;
    return [{ rule: "unexplained-replaced", sentence: `${what}, ${why}` }];
  });
}
