/**
 * Random stories of a few sessions and matches, told to the program on a real PostgreSQL and to a small reference that knows
 * only the contract. After every step both must say the same, and the events of each match must fold to its state.
 *
 * A failure prints the shortest story that still fails, and its seed. MODEL_SEED=… tells the same stories again.
 */
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { plant } from "../../support/mutants.ts";
import { boilDown, LANES, SEED, type Tally, tellStories } from "../../support/stories.ts";
import { story } from "./support/model-commands.ts";
import { type Lane, openLane } from "./support/model-program.ts";
import { tell } from "./support/model-story.ts";

const STORIES = 2400 * inject("share");
/** A failing story is told again and again until it is short. */
const TIMEOUT_MS = 1_200_000;

const of = (verb: string, ...answers: string[]) => answers.map((is) => `${verb}: ${is}`);
/** Everything that may be answered; a story that never got there would prove nothing about it. */
const ANSWERS = [
  ...of("create", "made", "idempotency_conflict"),
  ...of("create plain", "made", "idempotency_conflict"),
  ...of("read plain", "shown", "session_not_found"),
  ...of("read", "shown", "session_not_found"),
  ...of("state", "shown", "session_not_found"),
  ...of("act", "happened", "repeated", "action_conflict", "session_not_found", "forbidden", "not_participant"),
  ...of("act", "not_active", "cooldown", "paused", "session_over", "unknown_target"),
  ...of("join", "joined", "full", "not_active", "not_open", "forbidden", "session_over", "session_not_found"),
  ...of("leave", "left", "not_participant", "not_open", "forbidden", "session_over", "session_not_found"),
  ...of("update", "now active", "now paused", "now completed", "now terminated", "session_not_found", "forbidden"),
  ...of("update", "session_over", "precondition_failed", "version_conflict"),
  ...of("terminate", "now completed", "now terminated", "session_not_found", "forbidden", "precondition_failed"),
  ...of("list", "shown", "empty"),
  ...of("cleanup", "ends some", "finds none"),
];

describe("game sessions", () => {
  const lanes: Lane[] = [];
  beforeAll(async () => {
    for (let lane = 0; lane <= LANES; lane++) lanes.push(await openLane());
  });
  afterAll(async () => {
    await Promise.all(lanes.map((lane) => lane.drop()));
  });

  it(`do in ${STORIES} random stories what the contract says, step by step`, { timeout: TIMEOUT_MS }, async () => {
    const tally: Tally = new Map();
    const missing = await tellStories(story, { least: STORIES, answers: ANSWERS, tally }, (lane, one) =>
      tell(lanes[lane] as Lane, one, tally),
    );
    const steps = [...tally.values()].reduce((a, b) => a + b, 0);
    console.log(`model: ${STORIES} stories or more, ${steps} steps, MODEL_SEED=${SEED}`);
    expect(missing).toEqual([]);
  });

  it("are noticed to let the fallen be hit, in a story boiled down to a few steps", {
    timeout: TIMEOUT_MS,
  }, async () => {
    const db = lanes[LANES] as Lane;
    const lying = { name: "who is out is hit again", fn: "carry_out_action" };
    await plant(db, { ...lying, swaps: [[" AND aimed_at.status = 'active'", ""]] });
    const steps = await boilDown(story, 1000, (one) => tell(db, one, new Map()));
    expect(steps.at(-1)).toMatch(/"act".* → happened$/);
    expect(steps.length).toBeLessThanOrEqual(10);
  });
});
