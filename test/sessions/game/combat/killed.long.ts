/** Every process of the program is ended amid the actions of a match, at once or by its own leave, and comes back. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, inject, it, vi } from "vitest";
import type { Reply } from "../../../support/app.ts";
import { useDatabase } from "../../../support/database.ts";
import { play, useTwoServers } from "../../../support/two-servers.ts";
import { combatApi, expectFolded, players } from "./support/combat.ts";

vi.setConfig({ testTimeout: 900_000 });

const db = useDatabase();
const { next, restart } = useTwoServers(db, combatApi);

const ACTIONS = 1000 * inject("share");

/** Sends it by the same id until it is answered, however often the service goes away. */
async function insist(send: () => Promise<Reply>): Promise<Reply> {
  for (;;) {
    const reply = await send().catch(() => undefined);
    if (reply !== undefined && reply.status !== 503) return reply;
    await sleep(20);
  }
}

it.each(["SIGKILL", "SIGTERM"] as const)(
  `%s of all processes amid ${ACTIONS} actions loses none that was answered, and lets none happen twice`,
  async (signal) => {
    const all = players(10);
    const id = await next().make(all, { settings: { rules: { health: 1_000_000 } } });
    const answers = new Map<string, Reply>();
    let retried = 0;
    const killing = (async () => {
      for (const part of [0.25, 0.5, 0.75]) {
        await vi.waitUntil(() => answers.size >= ACTIONS * part, { timeout: 300_000, interval: 2 });
        await restart(signal);
      }
    })();
    await play({ count: ACTIONS, atOnce: 16 }, async (nth) => {
      const action_id = randomUUID();
      const [player, target] = [all[nth % 10] as string, all[(nth + 3) % 10] as string];
      let tries = 0;
      answers.set(
        action_id,
        await insist(() => {
          tries++;
          return next().act(id, player, { action_id, target_id: target, parameters: { nth } });
        }),
      );
      if (tries > 1) retried++;
    });
    await killing;
    console.log(`${signal}: ${ACTIONS} actions, ${retried} sent more than once`);
    expect(retried).toBeGreaterThan(0);
    expect([...answers.values()].filter(({ status }) => status !== 200)).toEqual([]);
    const events = await db.sql`
      SELECT e.sequence, e.action_id FROM game_events e JOIN game_sessions s ON s.number = e.session
      WHERE s.session_id = ${id} ORDER BY e.sequence`;
    expect(events.map(({ sequence }) => sequence)).toEqual(Array.from({ length: ACTIONS }, (_, at) => at + 1));
    for (const { sequence, action_id } of events) expect(answers.get(action_id)?.body.sequence).toBe(sequence);
    const { body } = await next().read(id, "service");
    expect([body.stats.total_actions, body.stats.total_damage]).toEqual([ACTIONS, ACTIONS * 10]);
    await expectFolded(db, id);
  },
);
