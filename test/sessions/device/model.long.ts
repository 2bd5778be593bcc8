/**
 * Random stories on a few keys, told to the program on a real PostgreSQL and to a small reference that knows only
 * the contract. After every step both must say the same.
 *
 * A failure prints the shortest story that still fails, and its seed. MODEL_SEED=… tells the same stories again.
 */
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { cloneDatabase, type TestDatabase } from "../../support/database.ts";
import { plant } from "../../support/mutants.ts";
import { sampleOfToday } from "../../support/sample.ts";
import { boilDown, findEscaped, LANES, SEED, type Tally, tellStories } from "../../support/stories.ts";
import { story } from "./support/model-commands.ts";
import { tell } from "./support/model-story.ts";
import { MUTANTS_OF_LEASES } from "./support/mutants-of-leases.ts";
import { MUTANTS_OF_OWNERS } from "./support/mutants-of-owners.ts";
import { MUTANTS_OF_PROOF } from "./support/mutants-of-proof.ts";
import { deviceSessions } from "./support/subject.ts";

/** So many tell of any of the planted faults, several times over. */
const ENOUGH = 1500;
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
  ...["leased when challenged", "cloned when challenged", "proof_challenge", "proof_required"].map(
    (is) => `lease: ${is}`,
  ),
  "return: no lease",
  ...["live", "live when challenged", "cloned when challenged", "cloned", "proof_challenge", "proof_required"].map(
    (is) => `heartbeat: ${is}`,
  ),
  ...["resumed when challenged", "session_cloned when challenged"].map((is) => `start: ${is}`),
  ...["proof_challenge", "proof_required"].map((is) => `start: ${is}`),
  ...["signed out", "nobody live", "holder_changed", "invalid_key", "key_expired", "key_revoked"].map(
    (is) => `sign-out: ${is}`,
  ),
  ...["lease: cloned", "erase: erased", "erase: unknown"],
  ...["revoke: revoked", "revoke: revoked, with its session", "revoke: unknown", "pass: time passes"],
];

/** What one caller at a time can tell from outside; of the others the probes tell (mutations.long.ts). */
const TOLD_BY_STORIES = [
  /^(a beat may come late|nobody is challenged|a displaced instance is a new one|an instance that beats twice is a new one)$/,
  /^(a beat sent again is a heartbeat|a beat with proof does not keep its number|a beat with proof is no sign of life)$/,
  /^(a plain heartbeat keeps a session with proof alive|a copy keeps no record|start resumes without proof)$/,
  /^(a start or a lease needs no proof|a start or a lease goes on unasked|a lease is given to whoever is refused)$/,
  /^(a silent session is given a lease|each request is another lease|a lease is a sign of life|a lease that is given back stays)$/,
  /^(a start knows nothing of leases|a start takes any lease for the right one|a start that resumes ends the lease)$/,
  /^(a kick leaves the lease|a sign-out takes no notice of the generation|a sign-out frees the lease, too|a sign-out keeps no record)$/,
];
const MUTANTS = sampleOfToday(
  [...MUTANTS_OF_PROOF, ...MUTANTS_OF_OWNERS, ...MUTANTS_OF_LEASES].filter(({ name }) =>
    TOLD_BY_STORIES.some((names) => names.test(name)),
  ),
  Math.round(1 / inject("share")),
);

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

  it("find out programs with a planted fault in proofs, leases and sign-outs", { timeout: TIMEOUT_MS }, async () => {
    const escaped = await findEscaped(MUTANTS, { story, most: ENOUGH, openLane: cloneFast }, (db, one) =>
      tell(db, deviceSessions(db), one, new Map()),
    );
    expect(escaped).toEqual([]);
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
