/**
 * Random stories of a few runs, told to the program on a real PostgreSQL and to a small reference that knows only the
 * contract. After every step both must say the same.
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
const TIMEOUT_MS = 900_000;

const REFUSED = ["session_not_found", "session_over", "attempt_replaced", "invalid_request"];
const of = (verb: string, ...answers: string[]) => answers.map((is) => `${verb}: ${is}`);
/** Everything that may be answered; a story that never got there would prove nothing about it. */
const ANSWERS = [
  ...of("create", "made", "idempotency_conflict"),
  ...of("execute", "made", "idempotency_conflict"),
  ...of("claim", "claimed", "claimed by another", "session_over", "session_not_found"),
  ...of("move", "moved to running", "moved to completed", "moved to partial_failure", "moved to failed"),
  ...of("move", "moved to cancelled", "invalid_transition", "results_disagree", "attempt_replaced", "invalid_request"),
  ...of("complete", "ended as completed", "ended as partial_failure", "ended as failed", "invalid_transition"),
  ...of("complete", ...REFUSED),
  ...of("progress", "reported", ...REFUSED),
  ...of("put", "stored", "replaced", "duplicate", "too_many_nodes", "unknown_node", ...REFUSED),
  ...of("cancel", "cancelled", "session_over"),
  ...of("force end", "ended", "session_over"),
  ...of("resume", "resumed", "resumed before", "not_resumable", "session_not_found"),
  ...of("read", "shown", "session_not_found"),
  ...of("status", "shown"),
  ...of("erase", "erased"),
  ...of("stats", "counts"),
  ...of("cleanup", "forgets some", "ends some", "finds none"),
];

describe("batch sessions", () => {
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

  it("are noticed to forget a failure, in a story boiled down to a few steps", { timeout: TIMEOUT_MS }, async () => {
    const db = lanes[LANES] as Lane;
    const lying = { name: "a run with failures is completed", fn: "complete_batch" };
    await plant(db, { ...lying, swaps: [["counted.failed = 0 AND processed", "processed"]] });
    const steps = await boilDown(story, 1000, (one) => tell(db, one, new Map()));
    expect(steps.at(-1)).toMatch(/"complete".* → ended as (failed|partial_failure)$/);
    expect(steps.length).toBeLessThanOrEqual(10);
  });
});
