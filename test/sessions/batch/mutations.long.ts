/** The test of the model: of every program with a planted fault it must say that it does not keep the contract. */
import fc from "fast-check";
import { expect, inject, it } from "vitest";
import { sampleOfToday } from "../../support/sample.ts";
import { plant } from "../device/support/mutants.ts";
import { story } from "./support/model-commands.ts";
import { openLane } from "./support/model-program.ts";
import { tell } from "./support/model-story.ts";
import { MUTANTS } from "./support/mutants.ts";

const CHOSEN = sampleOfToday(MUTANTS, Math.round(1 / inject("share")));
const STORIES_MAX = 2500;
const AT_ONCE = 3;
const SEED = Number(process.env.MODEL_SEED ?? Math.floor(Math.random() * 2 ** 31));

it("every planted fault of batch sessions is found", { timeout: 1_500_000 }, async () => {
  const escaped: string[] = [];
  const waiting = [...CHOSEN];
  const hunt = async () => {
    for (let mutant = waiting.shift(); mutant; mutant = waiting.shift()) {
      const lane = await openLane();
      await plant(lane, mutant);
      const result = await fc.check(
        fc.asyncProperty(story, (one) => tell(lane, one, new Map())),
        { numRuns: STORIES_MAX, seed: SEED, endOnFailure: true },
      );
      await lane.drop();
      if (!result.failed) escaped.push(mutant.name);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, hunt));
  console.log(
    `mutants caught: ${CHOSEN.length - escaped.length}/${CHOSEN.length} of ${MUTANTS.length}, MODEL_SEED=${SEED}`,
  );
  expect(escaped).toEqual([]);
});
