/** For random matches: their events from the first on say what GET says, to a program and to SQL. */
import fc from "fast-check";
import { expect, inject, it } from "vitest";
import { useApp } from "../../../support/app.ts";
import { useDatabase } from "../../../support/database.ts";
import type { Told } from "../../../support/follow.ts";
import { story } from "../support/model-commands.ts";
import { tell } from "../support/model-story.ts";
import { combatApi, expectFolded } from "./support/combat.ts";
import { type Folded, fold } from "./support/fold.ts";
import { follow } from "./support/follow.ts";

const db = useDatabase();
const app = useApp(db);
const api = combatApi(app);

const FIGHTS = 1000 * inject("share");
const SEED = Number(process.env.MODEL_SEED ?? Math.floor(Math.random() * 2 ** 31));

it(`the events of ${FIGHTS} random fights fold to what GET says`, { timeout: 1_200_000 }, async () => {
  let fights = 0;
  let events = 0;
  for (let stories = 0; fights < FIGHTS; stories++) {
    expect(stories).toBeLessThan(FIGHTS * 3);
    const [one] = fc.sample(story, { numRuns: 1, seed: SEED + stories }) as [Parameters<typeof tell>[1]];
    await tell(db, { ...one, tidied: false }, new Map()).catch((error) => {
      // Too slow a machine; the model's own test judges the story.
      if (!fc.PreconditionFailure.isFailure(error)) throw error;
    });
    const matches = await db.sql`
      SELECT s.session_id AS id, to_json(c.founders) AS founders, c.preparation_seconds > 0 AS "isPrepared", (c.rules->>'health')::int AS health
      FROM game_combats c JOIN game_sessions s ON s.number = c.session ORDER BY s.number`;
    for (const { id, ...began } of matches) {
      const due = await readWhole(id);
      const [row] = await db.sql`
        SELECT c.last_sequence AS last FROM game_combats c JOIN game_sessions s ON s.number = c.session WHERE s.session_id = ${id}`;
      const told = await readEvents(id, row?.last);
      expect(told.map((event) => event.id)).toEqual(Array.from({ length: row?.last }, (_, at) => at + 1));
      expect({ story: SEED + stories, ...fold(told, began as never) }).toEqual({ story: SEED + stories, ...due });
      await expectFolded(db, id);
      fights++;
      events += told.length;
    }
  }
  console.log(`folded: ${fights} fights, ${events} events, MODEL_SEED=${SEED}`);
});

async function readWhole(id: string): Promise<Folded> {
  const { body: state } = await api.readState(id, "service");
  const { stats } = (await api.read(id, "service")).body;
  return {
    phase: state.phase,
    winner: stats.winner ?? null,
    participants: Object.fromEntries(
      state.participants.map(({ player_id, status, health, score }: Record<string, never>) => [
        player_id,
        { status, health, score },
      ]),
    ),
    numbers: [stats.total_actions, stats.total_damage, stats.eliminations],
  };
}

async function readEvents(id: string, last: number): Promise<Told[]> {
  if (last === 0) return [];
  const following = await follow(app, id, "service", 0);
  await expect.poll(() => following.told.length, { interval: 5 }).toBeGreaterThanOrEqual(last);
  following.stop();
  await following.ended;
  return following.told;
}
