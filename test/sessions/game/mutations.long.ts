/** The test of the model: of every program with a planted fault it must say that it does not keep the contract. */
import { expect, inject, it } from "vitest";
import { sampleOfToday } from "../../support/sample.ts";
import { findEscaped } from "../../support/stories.ts";
import { story } from "./support/model-commands.ts";
import { openLane } from "./support/model-program.ts";
import { tell } from "./support/model-story.ts";
import { MUTANTS } from "./support/mutants.ts";

const CHOSEN = sampleOfToday(MUTANTS, Math.round(1 / inject("share")));

it(`every planted fault of game sessions is found, ${CHOSEN.length} of ${MUTANTS.length} tried`, {
  timeout: 2_400_000,
}, async () => {
  const escaped = await findEscaped(CHOSEN, { story, most: Number(process.env.MOST) || 2500, openLane }, (lane, one) =>
    tell(lane, one, new Map()),
  );
  expect(escaped).toEqual([]);
});
