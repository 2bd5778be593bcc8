/**
 * Random stories in a small room, told to the program on a real PostgreSQL and to a small reference that knows only
 * the contract. After every step both must say the same.
 *
 * A failure prints the shortest story that still fails, and its seed. MODEL_SEED=… tells the same stories again.
 */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { openListener } from "../../../src/database/listener.ts";
import { createLog } from "../../../src/log.ts";
import { type Line, openLine } from "../../../src/sessions/waiting-room/line.ts";
import { openPermitOffers, type PermitOffers } from "../../../src/sessions/waiting-room/permit-offers.ts";
import { cloneDatabase, type TestDatabase } from "../../support/database.ts";
import { type Mutant, plant } from "../device/mutants.ts";
import { story } from "./model-commands.ts";
import { type Tally, tell } from "./model-story.ts";

const STORIES = 900 * inject("share");
/** Each lane tells its stories one after the other on a database of its own, as there is one room in each. */
const LANES = 3;
const SEED = Number(process.env.MODEL_SEED ?? Math.floor(Math.random() * 2 ** 31));
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

interface Lane extends TestDatabase {
  line: Line;
  offers: PermitOffers;
  drop(): Promise<void>;
}

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
    const tellLane = (db: Lane, lane: number) =>
      fc.assert(
        fc.asyncProperty(story, (one) => tell(db, db, one, tally)),
        { numRuns: STORIES / LANES, seed: SEED + lane, includeErrorInReport: true },
      );
    await Promise.all(lanes.slice(0, LANES).map(tellLane));
    const steps = [...tally].reduce((sum, [what, n]) => sum + (what.startsWith("move") ? 0 : n), 0);
    const promotions = tally.get("move: promoted");
    console.log(`model: ${STORIES} stories, ${steps} steps, ${promotions} promotions, MODEL_SEED=${SEED}`);
    expect(ANSWERS.filter((answer) => !tally.has(answer))).toEqual([]);
  });

  it.each<Extract<Mutant, { fn: string }>>([
    {
      name: "the line forgets priorities",
      fn: "let_in",
      swaps: [["ORDER BY p.priority DESC, p.ticket", "ORDER BY p.ticket"]],
    },
    {
      name: "one seat too many",
      fn: "let_in",
      swaps: [
        ["room.active >= room.max_active", "room.active > room.max_active"],
        ["room.max_active - room.active", "room.max_active - room.active + 1"],
      ],
    },
    {
      name: "an unclaimed seat is kept",
      fn: "remove_silent",
      swaps: [["p.last_seen) <= claim_cutoff END", "p.last_seen) <= seat_cutoff END"]],
    },
    {
      name: "who leaves lets nobody in",
      fn: "leave_place",
      swaps: [["PERFORM let_in(at);", ""]],
    },
  ])("notices that $name, and boils the story down to a few steps", { timeout: TIMEOUT_MS }, async (mutant) => {
    const db = lanes[LANES] as Lane;
    const [sound] = await db.sql`SELECT pg_get_functiondef(${mutant.fn}::regproc) AS source`;
    await plant(db, mutant);
    const result = await fc.check(
      fc.asyncProperty(story, (one) => tell(db, db, one, new Map())),
      { numRuns: 500, seed: SEED },
    );
    await db.sql.unsafe(sound?.source);
    expect(result.failed).toBe(true);
    const steps = String(result.errorInstance).match(/^\d+\. .*/gm) ?? [];
    expect(steps.length).toBeGreaterThan(0);
    expect(steps.length).toBeLessThanOrEqual(10);
  });
});

async function openLane(): Promise<Lane> {
  const db = await cloneDatabase();
  // What is not flushed to disk at every commit is lost only in a crash, and none happens here.
  await db.sql.unsafe(`ALTER DATABASE ${db.name} SET synchronous_commit = off`);
  const log = createLog("silent");
  const listener = openListener(db.url, log);
  const line = openLine({ database: db.database, listener, log });
  line.close();
  await listener.close();
  return { ...db, line, offers: openPermitOffers(listener) };
}
