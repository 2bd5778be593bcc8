/** Random stories of the model tests, told in lanes beside each other until they have reached everything. */
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { AppError } from "../../src/errors.ts";
import type { TestDatabase } from "./database.ts";
import { type Mutant, plant } from "./mutants.ts";

/** Counts the different answers, so that a test can see that its stories reached all of them. */
export type Tally = Map<string, number>;

/** Each lane tells its stories one after the other on a database of its own. */
export const LANES = 3;
/** MODEL_SEED=… tells the same stories again. */
export const SEED = Number(process.env.MODEL_SEED ?? Math.floor(Math.random() * 2 ** 31));
/** Rounds of stories at most: what so many have not met, they cannot meet. */
const ROUNDS = 5;

/**
 * Tells `least` random stories, and as many again while one of the `answers` is missing in the tally: chance may leave out
 * a rare one. Gives the answers that never came. The first failing story fails, boiled down and with its seed.
 */
export async function tellStories<S>(
  story: fc.Arbitrary<S>,
  { least, answers, tally }: { least: number; answers: readonly string[]; tally: Tally },
  tell: (lane: number, story: S) => Promise<void>,
): Promise<string[]> {
  const missing = () => answers.filter((answer) => !tally.has(answer));
  for (let round = 0; round === 0 || (round < ROUNDS && missing().length > 0); round++) {
    const tellLane = (lane: number) =>
      fc.assert(
        fc.asyncProperty(story, (one) => tell(lane, one)),
        { numRuns: least / LANES, seed: SEED + round * LANES + lane, includeErrorInReport: true },
      );
    await Promise.all(Array.from({ length: LANES }, (_, lane) => tellLane(lane)));
  }
  return missing();
}

/** The steps of the shortest story that `tell` fails at, in at most so many; none if all pass. */
export async function boilDown<S>(
  story: fc.Arbitrary<S>,
  most: number,
  tell: (story: S) => Promise<void>,
): Promise<string[]> {
  const result = await fc.check(fc.asyncProperty(story, tell), { numRuns: most, seed: SEED });
  return String(result.failed ? result.errorInstance : "").match(/^\d+\. .*/gm) ?? [];
}

/** Three at once. Gives the names of the programs with a planted fault that no story of so many at most found out. */
export async function findEscaped<S, Lane extends TestDatabase & { drop(): Promise<void> }>(
  mutants: readonly Mutant[],
  { story, most, openLane }: { story: fc.Arbitrary<S>; most: number; openLane: () => Promise<Lane> },
  tell: (lane: Lane, story: S) => Promise<void>,
): Promise<string[]> {
  const escaped: string[] = [];
  const waiting = [...mutants];
  const hunt = async () => {
    for (let mutant = waiting.shift(); mutant; mutant = waiting.shift()) {
      const lane = await openLane();
      await plant(lane, mutant);
      const result = await fc.check(
        fc.asyncProperty(story, (one) => tell(lane, one)),
        { numRuns: most, seed: SEED, endOnFailure: true },
      );
      await lane.drop();
      if (!result.failed) escaped.push(mutant.name);
    }
  };
  await Promise.all(Array.from({ length: LANES }, hunt));
  console.log(`mutants caught: ${mutants.length - escaped.length}/${mutants.length}, MODEL_SEED=${SEED}`);
  return escaped;
}

/** How a program and its reference live through one story. */
export interface Life<Command> {
  /** So many seconds pass for both. 0: what the clock has added meanwhile is taken away. */
  pass(seconds: number): Promise<void>;
  /** Gives what the reference says came of it, and where the program disagrees. */
  takeStep(command: Command): Promise<{ is: string; faults: string[] }>;
}

/** The database's clock runs on while a story is told; its rows are dated anew this often. */
const PIN_EVERY_MS = 250;
/** Within this time after dating, what is 59 s old by the model is so for the program too. */
const PINNED_FOR_MS = 900;

/** Tells one story step by step. Fails with all that was told, and why. */
export async function tellSteps<Step extends { do: string }>(
  steps: ReadonlyArray<Step | { do: "pass"; seconds: number }>,
  tally: Tally,
  { pass, takeStep }: Life<Exclude<Step, { do: "pass" }>>,
): Promise<void> {
  const told: string[] = [];
  let pinnedAtMs = performance.now();
  try {
    for (const step of steps) {
      const passed = "seconds" in step && step.do === "pass" ? step.seconds : 0;
      if (passed > 0 || performance.now() - pinnedAtMs > PIN_EVERY_MS) {
        pinnedAtMs = performance.now();
        await pass(passed);
      }
      if (step.do === "pass") {
        told.push(`${told.length + 1}. ${JSON.stringify(step)}`);
        continue;
      }
      const { is, faults } = await takeStep(step as Exclude<Step, { do: "pass" }>);
      told.push(`${told.length + 1}. ${JSON.stringify(step)} → ${is}`);
      tally.set(`${step.do}: ${is}`, (tally.get(`${step.do}: ${is}`) ?? 0) + 1);
      if (faults.length === 0) continue;
      // The machine stood still for so long that the two clocks came apart: this story proves nothing.
      fc.pre(performance.now() - pinnedAtMs < PINNED_FOR_MS);
      throw new Error(["The story", ...told, ...faults].join("\n"));
    }
  } catch (error) {
    // Nor does one in which the machine was too slow for an answer in time.
    fc.pre(!(error instanceof AppError && error.code === "unavailable"));
    throw error;
  }
}

/** Where the program says something else than it should. */
export function compare(real: unknown, due: unknown): string[] {
  if (isDeepStrictEqual(real, due)) return [];
  return [`   The program: ${JSON.stringify(real)}`, `   The model:   ${JSON.stringify(due)}`];
}
