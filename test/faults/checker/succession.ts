/** One live holder at a time: no session is live after its successor began, or after its own end was known. */
import { describeCall, type Violation } from "./history.ts";
import type { KeyStory, SessionStory, Sighting } from "./story.ts";

export function checkSuccession(story: KeyStory): Violation[] {
  return [
    ...story.sessions.flatMap(checkOwnEnd),
    ...story.sessions.flatMap(checkOwnGeneration),
    ...checkOrder(story),
    ...checkSuccessors(story),
  ];
}

/** The earliest sighting of a session with a higher generation; by then this one was over. */
export function findSuccessor(story: KeyStory, session: SessionStory): Sighting | undefined {
  return inOrder(story)
    .filter((other) => session.generation !== undefined && (other.generation as number) > session.generation)
    .flatMap((other) => other.born ?? [])
    .reduce<Sighting | undefined>((first, born) => (first && first.at <= born.at ? first : born), undefined);
}

function checkOwnEnd({ live, gone }: SessionStory): Violation[] {
  if (!live || !gone || live.at <= gone.at) return [];
  const sentence = `live after its end was known (${describeCall(gone.call)}): ${describeCall(live.call)}`;
  return [{ rule: "live-after-ending", sentence }];
}

function checkOwnGeneration({ id, generations }: SessionStory): Violation[] {
  const [first] = generations;
  const other = generations.find(({ generation }) => generation !== first?.generation);
  if (!first || !other) return [];
  const [one, two] = [first, other].map(({ by }) => (by === "the rows" ? by : describeCall(by)));
  const what = `session ${id.slice(0, 8)} has generation ${first.generation} and ${other.generation}`;
  return [{ rule: "two-generations", sentence: `${what}: ${one}; ${two}` }];
}

/** Generations are of one session each, and rise in the order in which the starts cannot but have happened. */
function checkOrder(story: KeyStory): Violation[] {
  const violations: Violation[] = [];
  let latest: { asked: number; session: SessionStory } | undefined;
  let before: SessionStory | undefined;
  for (const session of inOrder(story)) {
    if (before?.generation === session.generation) {
      const who = `${before?.id.slice(0, 8)} and ${session.id.slice(0, 8)}`;
      violations.push({ rule: "shared-generation", sentence: `${who} both have generation ${session.generation}` });
    }
    // Of all lower generations the one requested last: it began after that.
    if (latest && session.born && session.born.at < latest.asked) {
      const lower = latest.session;
      const sentence =
        `${session.id.slice(0, 8)} had begun (${describeCall(session.born.call)}) before ${lower.id.slice(0, 8)} was asked ` +
        `for (${firstAsked(lower)?.text}), and yet has the higher generation, ${session.generation} over ${lower.generation}`;
      violations.push({ rule: "falling-generation", sentence });
    }
    const asked = firstAsked(session)?.at ?? Number.NEGATIVE_INFINITY;
    if (!latest || asked > latest.asked) latest = { asked, session };
    before = session;
  }
  return violations;
}

function checkSuccessors(story: KeyStory): Violation[] {
  const violations: Violation[] = [];
  let successor: Sighting | undefined;
  for (const session of inOrder(story).reverse()) {
    if (successor && session.live && session.live.at > successor.at) {
      const sentence = `live after its successor had begun (${describeCall(successor.call)}): ${describeCall(session.live.call)}`;
      violations.push({ rule: "live-after-takeover", sentence });
    }
    if (session.born && (!successor || session.born.at < successor.at)) successor = session.born;
  }
  return violations;
}

const inOrder = (story: KeyStory): SessionStory[] =>
  story.sessions
    .filter((session) => session.generation !== undefined)
    .sort((a, b) => (a.generation as number) - (b.generation as number));

function firstAsked(session: SessionStory): { at: number; text: string } | undefined {
  const [first] = session.starts.toSorted((a, b) => a.sentAt - b.sentAt);
  return first && { at: first.sentAt, text: describeCall(first) };
}
