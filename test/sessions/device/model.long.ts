/**
 * Random stories on a few keys, told to the program on a real PostgreSQL and to a small reference that knows only
 * the contract. After every step both must say the same.
 *
 * A failure prints the shortest story that still fails, and its seed. MODEL_SEED=… tells the same stories again.
 */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { cloneDatabase, type TestDatabase } from "../../support/database.ts";
import { story } from "./support/model-commands.ts";
import { type Tally, tell } from "./support/model-story.ts";
import { plant } from "./support/mutants.ts";
import { deviceSessions } from "./support/subject.ts";

const STORIES = 2400 * inject("share");
/** Each lane tells its stories one after the other on a database of its own, so that a cleanup's count is its own. */
const LANES = 3;
const SEED = Number(process.env.MODEL_SEED ?? Math.floor(Math.random() * 2 ** 31));
/** A failing story is told again and again until it is short. */
const TIMEOUT_MS = 600_000;

/** Everything that the contract lets a verb answer; a story that never got there would prove nothing about it. */
const ANSWERS = [
  ...["started", "started, taking over", "resumed", "invalid_key", "key_expired", "key_revoked", "key_in_use"].map(
    (is) => `start: ${is}`,
  ),
  ...[
    "start: holder_changed",
    "start: session_id_used",
    "end: ended",
    "end: not live",
    "kick: kicked",
    "kick: unknown",
  ],
  ...["live", "unknown", "replaced", "expired", "ended", "revoked"].map((is) => `heartbeat: ${is}`),
  ...["status: active", "status: active, its own", "status: inactive", "cleanup: none", "cleanup: some"],
  ...["revoke: revoked", "revoke: revoked, with its session", "revoke: unknown", "pass: time passes"],
];

describe("device sessions", () => {
  const databases: Array<TestDatabase & { drop(): Promise<void> }> = [];

  beforeAll(async () => {
    for (let lane = 0; lane <= LANES; lane++) databases.push(await cloneFast());
  });

  afterAll(async () => {
    await Promise.all(databases.map((database) => database.drop()));
  });

  it(`do in ${STORIES} random stories what the contract says, step by step`, { timeout: TIMEOUT_MS }, async () => {
    const tally: Tally = new Map();
    const tellLane = (lane: number) => {
      const db = databases[lane] as TestDatabase;
      const service = deviceSessions(db);
      return fc.assert(
        fc.asyncProperty(story, (one) => tell(db, service, one, tally)),
        { numRuns: STORIES / LANES, seed: SEED + lane, includeErrorInReport: true },
      );
    };
    await Promise.all(Array.from({ length: LANES }, (_, lane) => tellLane(lane)));
    const steps = [...tally.values()].reduce((a, b) => a + b, 0);
    console.log(`model: ${STORIES} stories, ${steps} steps, MODEL_SEED=${SEED}`);
    expect(ANSWERS.filter((answer) => !tally.has(answer))).toEqual([]);
  });

  it("notices a heartbeat that revives, and boils the story down to a few steps", { timeout: TIMEOUT_MS }, async () => {
    const db = databases[LANES] as TestDatabase;
    const reviving = { name: "a heartbeat takes no notice of the timeout", fn: "beat_sessions" };
    await plant(db, { ...reviving, swaps: [["AND s.last_heartbeat > cutoff", ""]] });
    const service = deviceSessions(db);
    const result = await fc.check(
      fc.asyncProperty(story, (one) => tell(db, service, one, new Map())),
      { numRuns: 1000, seed: SEED },
    );
    expect(result.failed).toBe(true);
    const steps = String(result.errorInstance).match(/^\d+\. .*/gm) ?? [];
    expect(steps.at(-1)).toMatch(/"heartbeat".* → expired$/);
    expect(steps.length).toBeLessThanOrEqual(8);
  });
});

/** What is not flushed to disk at every commit is lost only in a crash, and none happens here. */
async function cloneFast(): Promise<TestDatabase & { drop(): Promise<void> }> {
  const db = await cloneDatabase();
  await db.sql.unsafe(`ALTER DATABASE ${db.name} SET synchronous_commit = off`);
  return db;
}
