/**
 * Random stories on a few keys, told to the program on a real PostgreSQL and to a small reference that knows only
 * the contract. After every step both must say the same.
 *
 * A failure prints the shortest story that still fails, and its seed. MODEL_SEED=… tells the same stories again.
 */
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { cloneDatabase, type TestDatabase } from "../../support/database.ts";
import { plant } from "../../support/mutants.ts";
import { boilDown, LANES, SEED, type Tally, tellStories } from "../../support/stories.ts";
import { story } from "./support/model-commands.ts";
import { tell } from "./support/model-story.ts";
import { deviceSessions } from "./support/subject.ts";

const STORIES = 2400 * inject("share");
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
  ...["start: key_in_use, leased", "status: active, leased", "status: inactive, leased", "return: returned"],
  ...["leased", "unknown", "replaced", "expired", "ended", "revoked", "lease_unavailable"].map((is) => `lease: ${is}`),
  "return: no lease",
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
    const missing = await tellStories(story, { least: STORIES, answers: ANSWERS, tally }, (lane, one) => {
      const db = databases[lane] as TestDatabase;
      return tell(db, deviceSessions(db), one, tally);
    });
    const steps = [...tally.values()].reduce((a, b) => a + b, 0);
    console.log(`model: ${STORIES} stories or more, ${steps} steps, MODEL_SEED=${SEED}`);
    expect(missing).toEqual([]);
  });

  it("notices a heartbeat that revives, and boils the story down to a few steps", { timeout: TIMEOUT_MS }, async () => {
    const db = databases[LANES] as TestDatabase;
    const reviving = { name: "a heartbeat takes no notice of the timeout", fn: "beat_sessions" };
    await plant(db, { ...reviving, swaps: [["AND s.last_heartbeat > cutoff", ""]] });
    const service = deviceSessions(db);
    const steps = await boilDown(story, 1000, (one) => tell(db, service, one, new Map()));
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
