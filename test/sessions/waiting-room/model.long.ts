/**
 * Random stories in a small room, told to the program on a real PostgreSQL and to a small reference that knows only
 * the contract. After every step both must say the same.
 *
 * A failure prints the shortest story that still fails, and its seed. MODEL_SEED=… tells the same stories again.
 */
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { plant } from "../../support/mutants.ts";
import { boilDown, LANES, SEED, type Tally, tellStories } from "../../support/stories.ts";
import { story } from "./support/model-commands.ts";
import { type Lane, openLane } from "./support/model-program.ts";
import { tell } from "./support/model-story.ts";
import { MUTANTS } from "./support/mutants.ts";

const STORIES = 900 * inject("share");
/** A failing story is told again and again until it is short. */
const TIMEOUT_MS = 600_000;

/** Everything that may be answered or happen; a story that never got there would prove nothing about it. */
const ANSWERS = [
  ...["active", "queued", "queue_full"].map((is) => `create: ${is}`),
  ...["active", "queued", "unknown"].map((is) => `position: ${is}`),
  ...["close: closed", "close: left", "close: nothing", "remove: removed", "remove: nothing"],
  ...["granted", "too_many_requests", "not_active"].map((is) => `request: ${is}`),
  ...["give back: given back", "give back: nothing", "cleanup: some", "cleanup: none", "status: counts"],
  ...["prioritise: changed", "prioritise: not_waiting", "admit: admitted", "admit: full", "admit: not_waiting"],
  ...["seated", "queued", "promoted", "admitted", "claimed", "prioritised", "closed", "left", "expired"].map(
    (move) => `move: ${move}`,
  ),
  ...["abandoned", "unclaimed", "removed", "capacity", "paused", "resumed"].map((move) => `move: ${move}`),
];

describe("the waiting room", () => {
  const lanes: Lane[] = [];
  beforeAll(async () => {
    for (let lane = 0; lane <= LANES; lane++) lanes.push(await openLane());
  });
  afterAll(async () => {
    await Promise.all(lanes.map((lane) => lane.drop()));
  });

  it(`does in ${STORIES} random stories what the contract says, step by step`, { timeout: TIMEOUT_MS }, async () => {
    const tally: Tally = new Map();
    const missing = await tellStories(story, { least: STORIES, answers: ANSWERS, tally }, (lane, one) =>
      tell(lanes[lane] as Lane, lanes[lane] as Lane, one, tally),
    );
    const steps = [...tally].reduce((sum, [what, n]) => sum + (what.startsWith("move") ? 0 : n), 0);
    const promotions = tally.get("move: promoted");
    console.log(`model: ${STORIES} stories or more, ${steps} steps, ${promotions} promotions, MODEL_SEED=${SEED}`);
    expect(missing).toEqual([]);
  });

  it("is noticed to forget priorities, in a story boiled down to a few steps", { timeout: TIMEOUT_MS }, async () => {
    const mutant = MUTANTS.find(({ name }) => name === "the line forgets priorities") as (typeof MUTANTS)[number];
    const db = lanes[LANES] as Lane;
    const [sound] = await db.sql`SELECT pg_get_functiondef(${mutant.fn}::regproc) AS source`;
    await plant(db, mutant);
    const steps = await boilDown(story, 500, (one) => tell(db, db, one, new Map()));
    await db.sql.unsafe(sound?.source);
    expect(steps.length).toBeGreaterThan(0);
    expect(steps.length).toBeLessThanOrEqual(10);
  });
});
