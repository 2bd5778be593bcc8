/**
 * Races in matches through two processes of the program on one database. Each proves a guarantee of all interleavings by what
 * is true afterwards in all of them; none relies on when anything happens.
 */
import { randomUUID } from "node:crypto";
import { describe, expect, inject, it, vi } from "vitest";
import type { Reply } from "../../../support/app.ts";
import { useDatabase } from "../../../support/database.ts";
import { play, shuffle, useTwoServers } from "../../../support/two-servers.ts";
import { newPlayer, outcome } from "../support/game.ts";
import { combatApi, expectFolded, players } from "./support/combat.ts";
import { follow } from "./support/follow.ts";

// Thousands of requests: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000 });

const db = useDatabase();
const { servers, next } = useTwoServers(db, combatApi);

const RACES = 400 * inject("share");

const upTo = (last: number) => Array.from({ length: last }, (_, at) => at + 1);
const tally = (replies: Reply[]) => {
  const counts: Record<string, number> = {};
  for (const reply of replies) counts[outcome(reply)] = (counts[outcome(reply)] ?? 0) + 1;
  return counts;
};

async function eventsOf(id: string) {
  return db.sql`
    SELECT e.sequence, e.event, e.player_id, e.action_id, e.data FROM game_events e JOIN game_sessions s ON s.number = e.session
    WHERE s.session_id = ${id} ORDER BY e.sequence`;
}

describe("100 actions at once", () => {
  it("through two processes have the sequences 1 to 100, each once, and every answer is the state at its place", async () => {
    const all = players(5);
    const id = await next().make(all, { settings: { rules: { health: 10_000 } } });
    const told = await Promise.all(servers.map((server) => follow(server, id, all[0] as string, 0)));
    const replies = await Promise.all(
      upTo(100).map((nth) => {
        const [player, target] = [all[nth % 5] as string, all[(nth + 1) % 5] as string];
        return next().act(id, player, { target_id: target, parameters: { nth } });
      }),
    );
    expect(tally(replies)).toEqual({ "200": 100 });
    const byPlace = replies.map(({ body }) => body).sort((a, b) => a.sequence - b.sequence);
    expect(byPlace.map(({ sequence }) => sequence)).toEqual(upTo(100));
    for (const { sequence, new_state } of byPlace) {
      const { events, participants } = new_state;
      expect(events.at(-1).sequence).toBe(sequence);
      const scored = participants.reduce((sum: number, one: { score: number }) => sum + one.score, 0);
      const hurt = participants.reduce((sum: number, one: { health: number }) => sum + 10_000 - one.health, 0);
      expect([scored, hurt]).toEqual([sequence * 10, sequence * 10]);
    }
    expect((await eventsOf(id)).map(({ sequence }) => sequence)).toEqual(upTo(100));
    for (const following of told) {
      await expect.poll(() => following.told.length).toBe(100);
      expect(following.told.map((event) => event.id)).toEqual(upTo(100));
      following.stop();
    }
    await expectFolded(db, id);
  });
});

describe("50 copies of one action at once", () => {
  it("are one event, and 50 equal answers, also beside other actions and again after the end", async () => {
    await play({ count: 10, atOnce: 2 }, async () => {
      const [one, two] = players(2) as [string, string];
      const id = await next().make([one, two]);
      const action = { target_id: two, action_id: randomUUID() };
      const copies = Array.from({ length: 50 }, () => () => next().act(id, one, action));
      const others = Array.from({ length: 10 }, () => () => next().act(id, two, { target_id: one }));
      const sent = await Promise.all(shuffle([...copies, ...others]).map((send) => send()));
      const answers = sent.filter(({ body }) => body.action_id === action.action_id);
      expect(new Set(answers.map(({ status, body }) => JSON.stringify([status, body]))).size).toBe(1);
      expect([answers.length, answers[0]?.status]).toEqual([50, 200]);
      const events = await eventsOf(id);
      expect(events.filter(({ action_id }) => action_id === action.action_id)).toHaveLength(1);
      expect(events.map(({ sequence }) => sequence)).toEqual(upTo(events.length));
      await next().act(id, one, { target_id: two, eliminated: true }, "service");
      expect((await next().act(id, one, action)).body).toEqual(answers[0]?.body);
      await expectFolded(db, id);
    });
  });

  it("with two bodies are one of them, and the others are refused", async () => {
    const [one, two] = players(2) as [string, string];
    const id = await next().make([one, two]);
    const action_id = randomUUID();
    const replies = await Promise.all(
      upTo(50).map((nth) => next().act(id, one, { action_id, target_id: nth % 2 ? two : one })),
    );
    expect(tally(replies)).toEqual({ "200": 25, "409 action_conflict": 25 });
    expect(await eventsOf(id)).toHaveLength(1);
  });
});

describe("50 joins at once", () => {
  const open = (max: number, founder: string) =>
    next().make([founder], { settings: { rules: { open: true, max_participants: max } } });

  it("at 4 places are 4, each with a place of its own", async () => {
    await play({ count: 10, atOnce: 2 }, async () => {
      const id = await open(5, newPlayer());
      const replies = await Promise.all(players(50).map((player) => next().join(id, player)));
      expect(tally(replies)).toEqual({ "200": 4, "409 full": 46 });
      expect((await next().read(id, "service")).body.participants).toHaveLength(5);
      await expectFolded(db, id);
    });
  });

  it("of parties of 3 at 2 places are none, beside single players who get them", async () => {
    const id = await open(3, newPlayer());
    const parties = await Promise.all(upTo(20).map(() => next().join(id, "service", players(3))));
    expect(tally(parties)).toEqual({ "409 full": 20 });
    const mixed = await Promise.all([
      ...upTo(20).map(() => next().join(id, "service", players(3))),
      ...players(20).map((player) => next().join(id, player)),
    ]);
    expect(tally(mixed)).toEqual({ "200": 2, "409 full": 38 });
    expect((await next().read(id, "service")).body.participants).toHaveLength(3);
    await expectFolded(db, id);
  });

  it("of one player are one", async () => {
    const [founder, player] = players(2) as [string, string];
    const id = await open(4, founder);
    const replies = await Promise.all(upTo(50).map(() => next().join(id, player)));
    expect(tally(replies)).toEqual({ "200": 50 });
    expect(await eventsOf(id)).toHaveLength(1);
    expect((await next().read(id, founder)).body.version).toBe(2);
  });
});

describe("blows, departures and a pause at once", () => {
  it(`in ${RACES} fights leave one ending, told last, and what everybody was answered fits it`, async () => {
    const won = new Map<string, number>();
    await play({ count: RACES, atOnce: 8 }, async () => {
      const [one, two, three] = players(3) as [string, string, string];
      const id = await next().make([one, two, three], { settings: { rules: { health: 10, open: true } } });
      const calls = shuffle([
        () => next().act(id, one, { target_id: two }),
        () => next().act(id, two, { target_id: three }),
        () => next().act(id, three, { target_id: one }),
        () => next().leave(id, one),
        () => next().join(id, one),
        () =>
          next()
            .pause(id)
            .then(() => undefined),
      ]);
      const replies = (await Promise.all(calls.map((call) => call()))).filter((reply) => reply !== undefined);
      const { body: match } = await next().read(id, "service");
      const events = await eventsOf(id);
      expect(events.map(({ sequence }) => sequence)).toEqual(upTo(events.length));
      expect(events.slice(0, -1).map(({ event }) => event)).not.toContain("ended");
      const active = match.participants.filter(({ status }: { status: string }) => status === "active");
      expect(match.status === "completed").toBe(events.at(-1)?.event === "ended");
      expect(match.status === "completed").toBe(active.length < 2);
      expect(match.stats.winner).toBe(active.length === 1 ? active[0].player_id : undefined);
      const acted = replies.filter(({ body }) => body.action_id !== undefined);
      expect(acted).toHaveLength(events.filter(({ event }) => event === "action").length);
      won.set(match.status, (won.get(match.status) ?? 0) + 1);
      await expectFolded(db, id);
    });
    console.log(`fights: ${[...won].map(([status, count]) => `${count} ${status}`).join(", ")}`);
    expect(won.get("completed")).toBeGreaterThan(0);
  });
});
