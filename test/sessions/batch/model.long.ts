/**
 * Random stories of a few runs, told to the program on a real PostgreSQL and to a small reference that knows only the
 * contract. After every step both must say the same.
 *
 * A failure prints the shortest story that still fails, and its seed. MODEL_SEED=… tells the same stories again.
 */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { plant } from "../device/support/mutants.ts";
import { story } from "./support/model-commands.ts";
import { type Lane, openLane } from "./support/model-program.ts";
import { type Tally, tell } from "./support/model-story.ts";

const STORIES = 2400 * inject("share");
/** Each lane tells its stories one after the other on a database of its own, so that what a cleanup finds is its own. */
const LANES = 3;
const SEED = Number(process.env.MODEL_SEED ?? Math.floor(Math.random() * 2 ** 31));
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
    const tellLane = (db: Lane, lane: number) =>
      fc.assert(
        fc.asyncProperty(story, (one) => tell(db, one, tally)),
        { numRuns: STORIES / LANES, seed: SEED + lane, includeErrorInReport: true },
      );
    await Promise.all(lanes.slice(0, LANES).map(tellLane));
    const steps = [...tally.values()].reduce((a, b) => a + b, 0);
    console.log(`model: ${STORIES} stories, ${steps} steps, MODEL_SEED=${SEED}`);
    expect(ANSWERS.filter((answer) => !tally.has(answer))).toEqual([]);
  });

  it("are noticed to forget a failure, in a story boiled down to a few steps", { timeout: TIMEOUT_MS }, async () => {
    const db = lanes[LANES] as Lane;
    const lying = { name: "a run with failures is completed", fn: "complete_batch" };
    await plant(db, { ...lying, swaps: [["counted.failed = 0 AND processed", "processed"]] });
    const result = await fc.check(
      fc.asyncProperty(story, (one) => tell(db, one, new Map())),
      { numRuns: 1000, seed: SEED },
    );
    expect(result.failed).toBe(true);
    const steps = String(result.errorInstance).match(/^\d+\. .*/gm) ?? [];
    expect(steps.at(-1)).toMatch(/"complete".* → ended as (failed|partial_failure)$/);
    expect(steps.length).toBeLessThanOrEqual(8);
  });
});
