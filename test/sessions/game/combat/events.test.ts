import { describe, expect, it } from "vitest";
import { useApp } from "../../../support/app.ts";
import { useDatabase } from "../../../support/database.ts";
import type { Told } from "../../../support/follow.ts";
import { newPlayer } from "../support/game.ts";
import { age, combatApi, players } from "./support/combat.ts";
import { follow } from "./support/follow.ts";

const db = useDatabase();
const app = useApp(db);
const api = combatApi(app);

const names = (told: Told[]) => told.map(({ event }) => event);
const ids = (told: Told[]) => told.map(({ id }) => id);

describe("a follower of a match", () => {
  it("is told of all that happens from now on, in order, each by its sequence, to the end", async () => {
    const [one, two] = players(2) as [string, string];
    const id = await api.make([one], { settings: { rules: { open: true, health: 20 } } });
    await api.act(id, one, { action_type: "move" });
    const following = await follow(app, id, two);
    await api.join(id, two);
    await api.pause(id);
    await api.resume(id);
    const parameters = { path: "x".repeat(2_000) };
    const { body } = await api.act(id, two, { action_type: "move", parameters });
    await api.leave(id, "service", [one, two]);
    await following.ended;
    expect(ids(following.told)).toEqual([2, 3, 4, 5, 6, 7, 8]);
    expect(names(following.told)).toEqual(["joined", "paused", "resumed", "action", "left", "left", "ended"]);
    expect(following.told[3]?.data).toEqual({
      sequence: 5,
      type: "action",
      timestamp: body.timestamp,
      data: expect.objectContaining({ player_id: two, action_id: body.action_id, parameters }),
    });
    expect(following.told.at(-1)?.data.data).toEqual({ status: "completed", ended_reason: "decided" });
  });

  it("that comes back gets what it has missed, once and in order, also after the end; with all, it is told to stop", async () => {
    const [one, two] = players(2) as [string, string];
    const id = await api.make([one, two]);
    for (let nth = 0; nth < 60; nth++) await api.act(id, one, { action_type: "move" });
    await api.act(id, one, { target_id: two, damage: 100 }, "service");
    for (const last of [0, 7, 61]) {
      const { told, ended } = await follow(app, id, one, last);
      await ended;
      expect(ids(told)).toEqual(Array.from({ length: 62 - last }, (_, at) => last + 1 + at));
    }
    expect((await follow(app, id, one, 62)).status).toBe(204);
    const { told, ended } = await follow(app, id, two);
    await ended;
    expect(names(told)).toEqual(["ended"]);
    const state = (await api.readState(id, one)).body;
    expect(state.events.map(({ sequence }: { sequence: number }) => sequence)).toEqual(
      Array.from({ length: 50 }, (_, at) => 13 + at),
    );
  });

  it.each(["99", "-1", "of another service"])(
    "that names an event that never was (%s) begins with the state",
    async (last) => {
      const [one, two] = players(2) as [string, string];
      const id = await api.make([one, two]);
      await api.act(id, one, { target_id: two });
      const { told, ended } = await follow(app, id, one, last);
      await api.act(id, one, { target_id: two, eliminated: true }, "service");
      await ended;
      expect(names(told)).toEqual(["reset", "action", "ended"]);
      expect(ids(told)).toEqual([1, 2, 3]);
      expect(told[0]?.data).toMatchObject({ session_id: id, phase: "active", events: [{ sequence: 1 }] });
    },
  );

  it("is told of the beginning and of the end that time brings, though nobody calls and nothing tidies", async () => {
    const [one] = players(1) as [string];
    const id = await api.make([one], { settings: { max_duration: 60, rules: { preparation_seconds: 50 } } });
    await age(db, id, 48);
    const { told, ended } = await follow(app, id, one);
    await expect.poll(() => names(told)).toEqual(["started"]);
    await age(db, id, 9);
    await db.sql`SELECT pg_notify('keybeat_game', ${id})`; // who dates a row by hand says so
    await ended;
    expect(names(told)).toEqual(["started", "ended"]);
    expect(told.at(-1)?.data.data).toEqual({ status: "completed", ended_reason: "max_duration" });
  });

  it("of a match that is gone is sent away", async () => {
    const [one] = players(1) as [string];
    const id = await api.make([one]);
    const { told, ended } = await follow(app, id, one);
    await db.sql`DELETE FROM game_sessions WHERE session_id = ${id}`;
    await db.sql`SELECT pg_notify('keybeat_game', ${id})`;
    await ended;
    expect(told).toEqual([]);
  });

  it("must see the match", async () => {
    const id = await api.make(players(1));
    expect((await follow(app, id, newPlayer())).status).toBe(404);
    expect((await follow(app, id, "no-player")).status).toBe(401);
    const watching = await follow(app, id, "service");
    expect(watching.status).toBe(200);
    watching.stop();
    const head = await api.send("HEAD", `/combat/sessions/${id}/events`, "service");
    expect([head.status, head.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
  });
});
