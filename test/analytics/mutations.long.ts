/** The test of the stories: of every program with a planted fault they must say that it tells wrong numbers. */
import { expect, inject, it } from "vitest";
import { cloneDatabase } from "../support/database.ts";
import { sampleOfToday } from "../support/sample.ts";
import { findEscaped } from "../support/stories.ts";
import { MUTANTS } from "./support/mutants.ts";
import { story, tellStory } from "./support/story.ts";

const CHOSEN = sampleOfToday(MUTANTS, Math.round(1 / inject("share")));

it(`every planted fault of the numbers is found, ${CHOSEN.length} of ${MUTANTS.length} tried`, {
  timeout: 1_500_000,
}, async () => {
  const escaped = await findEscaped(CHOSEN, { story, most: 600, openLane: cloneDatabase }, (lane, one) =>
    tellStory(lane, one, new Map()),
  );
  expect(escaped).toEqual([]);
});
