/** Random stories of the model tests, told in lanes beside each other until they have reached everything. */
import fc from "fast-check";

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
