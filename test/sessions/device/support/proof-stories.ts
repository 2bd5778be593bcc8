/**
 * Stories of one session and the processes that beat it, over a network that loses, repeats and delays without bound, and a
 * database that loses commits and comes back from a backup. A story asks for what the database decides, and is told.
 */
import fc from "fast-check";

/** What the database is asked for. */
export type Wish = { do: "judge"; beat: Beat } | { do: "back up" } | { do: "restore" };
export type Verdict = "live" | "cloned" | { challenge: string };
/** Gives what was told, step by step; throws what must not be. */
export type Telling = Generator<Wish, string[], Verdict | undefined>;

export interface Beat {
  instance: string;
  number: number;
  id: string;
  answer: string;
}

interface Process {
  instance: string;
  number: number;
  /** Its beat that has no answer yet. */
  pending?: Beat | undefined;
}

type Step =
  /** Who runs sends its beat, which is under way from then on. A new process begins if none runs. */
  | { do: "send" }
  /** One of the beats under way arrives, and perhaps again later. Its answer is read, or is under way for long, or lost. */
  | { do: "arrive"; which: number; again: boolean; answer: "read" | "late" | "lost" }
  | { do: "read late"; which: number }
  /** All of it, until the beat has its answer. */
  | { do: "beat" }
  | { do: "die" }
  | { do: "begin" }
  | { do: "back up" }
  | { do: "restore" };

export interface Story {
  /** Whether the process that created the session had proof. Its start may arrive again. */
  proven: boolean;
  steps: Step[];
  /** Two run from then on: the one of before and a new one, or one that is its twin in all its memory. */
  copy: { twin: boolean; twinFirst: boolean; strays: number[] };
}

const which = fc.nat(1000);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant("send" as const) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("arrive" as const),
      which,
      again: fc.boolean(),
      answer: fc.constantFrom("read" as const, "read" as const, "late" as const, "lost" as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("read late" as const), which }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("beat" as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("die" as const, "begin" as const, "begin" as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("back up" as const, "restore" as const) }) },
);

export const proofStory: fc.Arbitrary<Story> = fc.record({
  proven: fc.boolean(),
  steps: fc.array(step, { minLength: 4, maxLength: 40, size: "max" }),
  copy: fc.record({ twin: fc.boolean(), twinFirst: fc.boolean(), strays: fc.array(which, { maxLength: 3 }) }),
});

/** Told of a challenge, a process answers with its very beat: how often until somebody must have accepted it. */
const TRIES = 3;

/** The state of a story: who runs, and what is under way. */
function openWorld({ proven, steps }: Story) {
  let made = 0;
  const told: string[] = [];
  const create = (): Process => ({ instance: `process-${made++}`, number: -1 });
  const first = create();
  const creation: Beat = { instance: first.instance, number: ++first.number, id: "creation", answer: "" };
  let running: Process | undefined = proven ? first : undefined;
  const beats: Beat[] = proven ? [creation] : [];
  const answers: Array<{ beat: Beat; verdict: Verdict }> = [];

  const take = <T>(from: T[], at: number, keep: boolean): T | undefined =>
    keep ? from[at % from.length] : from.splice(at % Math.max(1, from.length), 1)[0];
  const read = (process: Process | undefined, beat: Beat, verdict: Verdict) => {
    if (process?.pending === undefined || process.pending.id !== beat.id) return;
    if (typeof verdict === "object") process.pending = { ...process.pending, answer: verdict.challenge };
    else process.pending = undefined;
  };
  const send = (process: Process): Beat => {
    process.pending ??= {
      instance: process.instance,
      number: ++process.number,
      id: `beat-${made++}`,
      answer: "",
    };
    return process.pending;
  };
  function* judge(beat: Beat): Generator<Wish, Verdict, Verdict | undefined> {
    const verdict = (yield { do: "judge", beat }) as Verdict;
    told.push(`${beat.instance} #${beat.number} ${beat.id}${beat.answer && " +answer"} → ${say(verdict)}`);
    return verdict;
  }
  function* finish(process: Process): Generator<Wish, Verdict, Verdict | undefined> {
    let verdict: Verdict = "cloned";
    for (let tries = 0; tries < TRIES; tries++) {
      const beat = send(process);
      verdict = yield* judge(beat);
      read(process, beat, verdict);
      if (typeof verdict === "string") return verdict;
    }
    return verdict;
  }
  function* arrive(at: number, again: boolean): Generator<Wish, [Beat, Verdict] | undefined, Verdict | undefined> {
    const beat = take(beats, at, again);
    return beat && [beat, yield* judge(beat)];
  }

  function* live(): Telling {
    for (const one of steps) {
      told.push(JSON.stringify(one));
      if (one.do === "send") {
        running ??= create();
        beats.push(send(running));
      } else if (one.do === "arrive") {
        const [beat, verdict] = (yield* arrive(one.which, one.again)) ?? [];
        if (!beat || !verdict) continue;
        if (verdict === "cloned") return fail("a false alarm", told);
        if (one.answer === "read") read(running, beat, verdict);
        if (one.answer === "late") answers.push({ beat, verdict });
      } else if (one.do === "read late") {
        const late = take(answers, one.which, false);
        if (late) read(running, late.beat, late.verdict);
      } else if (one.do === "beat") {
        running ??= create();
        const verdict = yield* finish(running);
        if (verdict === "cloned") return fail("a false alarm", told);
        if (verdict !== "live") return fail("a process that runs and answers is not accepted", told);
      } else if (one.do === "die") running = undefined;
      else if (one.do === "begin") running = create();
      else yield { do: one.do };
    }
    return told;
  }

  return { told, live, finish, arrive, create, running: () => running };
}

const say = (verdict: Verdict) => (typeof verdict === "object" ? "challenged" : verdict);

function fail(why: string, told: string[]): never {
  throw new Error(["The story", ...told, `   ${why}`].join("\n"));
}

/** One process runs at a time, and whatever happens is no copy. */
export const tellHonest = (story: Story): Telling => openWorld(story).live();

/**
 * After such a story two run. What is under way may still arrive; of their own beats none is lost. Both must be told within
 * one beat of each side from when both have taken part.
 */
export function* tellCopy(story: Story): Telling {
  const world = openWorld(story);
  const { told, finish, arrive } = world;
  yield* world.live();
  const one = world.running() ?? world.create();
  const { twin, twinFirst, strays } = story.copy;
  const other: Process = twin ? structuredClone(one) : world.create();
  told.push(`now ${twin ? "its twin" : other.instance} runs beside ${one.instance}`);
  // What a twin had under way is one beat of both. Of two instances the new one must become the current one first.
  const due = twin ? (one.pending ? 4 : 2) : 3;
  const sides = twinFirst ? [other, one] : [one, other];
  for (let at = 0; at < due; at++) {
    const verdict = yield* finish(sides[at % 2] as Process);
    if (verdict === "cloned") {
      const then = yield* finish(sides[(at + 1) % 2] as Process);
      return then === "cloned" ? told : fail("the other side was not told", told);
    }
    if (verdict !== "live") return fail("a process that runs and answers is not accepted", told);
    const stray = strays[at];
    if (stray !== undefined) yield* arrive(stray, true);
  }
  return fail("a copy that nobody was told of", told);
}
