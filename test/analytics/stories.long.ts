/** The numbers are what counting the sessions gives, for every timeframe, type and player, whatever happens to the sessions. */
import { expect, inject, it } from "vitest";
import { cloneDatabase } from "../support/database.ts";
import { LANES, SEED, type Tally, tellStories } from "../support/stories.ts";
import { REACHED, story, tellStory } from "./support/story.ts";

it("the numbers are those of the sessions after every story, at every step's edge", { timeout: 900_000 }, async () => {
  const lanes = await Promise.all(Array.from({ length: LANES }, () => cloneDatabase()));
  const tally: Tally = new Map();
  const least = 150 * inject("share");
  try {
    const missing = await tellStories(story, { least, answers: REACHED, tally }, (lane, one) =>
      tellStory(lanes[lane] as (typeof lanes)[number], one, tally),
    );
    expect(missing, `MODEL_SEED=${SEED}`).toEqual([]);
  } finally {
    await Promise.all(lanes.map((lane) => lane.drop()));
  }
});
