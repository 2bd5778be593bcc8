/** Holds long random fights to it: folding the events of each gives what is stored, and what GET says. */
import fc from "fast-check";
import { expect } from "vitest";
import type { TestApp } from "../../../../support/app.ts";
import type { TestDatabase } from "../../../../support/database.ts";
import type { Told } from "../../../../support/follow.ts";
import { type CombatApi, combatApi, expectFolded } from "./combat.ts";
import { fight, play } from "./fights.ts";
import { type Folded, fold } from "./fold.ts";
import { follow } from "./follow.ts";

/** MODEL_SEED=… plays the same fights again. */
const SEED = Number(process.env.MODEL_SEED ?? Math.floor(Math.random() * 2 ** 31));

/** Returns how often each thing happened: events and actions by their kind, ends by their reason. */
export async function checkFights(db: TestDatabase, app: TestApp, count: number): Promise<Map<string, number>> {
  const api = combatApi(app);
  const tally = new Map<string, number>();
  // What is not flushed at every commit is lost in a crash alone, and none happens here.
  await db.sql.unsafe(`ALTER DATABASE ${db.name} SET synchronous_commit = off`);
  const begunAtMs = performance.now();
  let events = 0;
  for (const [nth, one] of fc.sample(fight, { numRuns: count, seed: SEED }).entries()) {
    const id = await play(db, api, one, (started) => expectFolded(db, started));
    const [row] = await db.sql`
      SELECT to_json(c.founders) AS founders, c.preparation_seconds > 0 AS "isPrepared", (c.rules->>'health')::int AS health
      FROM game_combats c JOIN game_sessions s ON s.number = c.session WHERE s.session_id = ${id}`;
    const { last, ...due } = await readWhole(api, id);
    const told = await readEvents(app, id, last);
    expect(told.map((event) => event.id)).toEqual(Array.from({ length: last }, (_, at) => at + 1));
    expect({ nth, ...fold(told, row as never) }).toEqual({ nth, ...due });
    await expectFolded(db, id);
    events += told.length;
    for (const { event, data } of told) {
      for (const word of [event, data.data.action_type, data.data.ended_reason]) {
        if (word !== undefined) tally.set(word, (tally.get(word) ?? 0) + 1);
      }
    }
  }
  const seconds = Math.round((performance.now() - begunAtMs) / 1000);
  console.log(`folded: ${count} fights, ${events} events, in ${seconds} s, MODEL_SEED=${SEED}`);
  expect(events / count).toBeGreaterThanOrEqual(20);
  return tally;
}

async function readWhole(api: CombatApi, id: string): Promise<Folded & { last: number }> {
  const { body: state } = await api.readState(id, "service");
  const { stats } = (await api.read(id, "service")).body;
  return {
    last: state.events?.at(-1)?.sequence ?? 0,
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

async function readEvents(app: TestApp, id: string, last: number): Promise<Told[]> {
  if (last === 0) return [];
  const following = await follow(app, id, "service", 0);
  await expect.poll(() => following.told.length, { interval: 5 }).toBeGreaterThanOrEqual(last);
  following.stop();
  await following.ended;
  return following.told;
}
