import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { Reply } from "../../../support/app.ts";
import { useApp } from "../../../support/app.ts";
import { useDatabase } from "../../../support/database.ts";
import { newPlayer, outcome } from "../support/game.ts";
import { age, combatApi, expectFolded, players, standings } from "./support/combat.ts";

const db = useDatabase();
const app = useApp(db);
const api = combatApi(app);

const hitBy = ({ body }: Reply) => body.damage_dealt;

describe("an action", () => {
  it("does what the rules say, and the answer has the state right after it", async () => {
    const [one, other] = players(2) as [string, string];
    const id = await api.make([one, other]);
    const { status, body } = await api.act(id, one, { target_id: other, parameters: { weapon: null } });
    expect(status).toBe(200);
    expect(body).toEqual({
      action_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      success: true,
      sequence: 1,
      damage_dealt: 10,
      effects: [],
      timestamp: expect.stringMatching(/\.\d{3}Z$/),
      new_state: {
        session_id: id,
        phase: "active",
        time_remaining: 3600,
        participants: [
          { player_id: one, status: "active", score: 10, health: 100, joined_at: expect.any(String) },
          { player_id: other, status: "active", score: 0, health: 90, joined_at: expect.any(String) },
        ],
        events: [
          {
            sequence: 1,
            type: "action",
            timestamp: body.timestamp,
            data: {
              player_id: one,
              action_type: "attack",
              target_id: other,
              action_id: body.action_id,
              damage_dealt: 10,
              score: 10,
              health: 90,
              time_remaining: 3600,
              parameters: { weapon: null },
            },
          },
        ],
      },
    });
    expect((await api.readState(id, other)).body).toMatchObject({
      ...body.new_state,
      time_remaining: expect.any(Number),
    });
    await expectFolded(db, id);
  });

  it("of each type does its damage, rounded down, and none without a target", async () => {
    const [one, other] = players(2) as [string, string];
    const rules = { health: 1000, damage: { ability: 25.9, move: 3, attack: null }, score: { move: 7 } };
    const id = await api.make([one, other], { settings: { rules } });
    const types = ["attack", "ability", "move", "defend", "item_use"];
    const dealt = [];
    for (const action_type of types) dealt.push(hitBy(await api.act(id, one, { action_type, target_id: other })));
    expect(dealt).toEqual([10, 25, 3, 0, 0]);
    expect(hitBy(await api.act(id, one))).toBe(0);
    expect(standings(await api.readState(id, one))).toEqual(["active 1000 42", "active 962 0"]);
    await expectFolded(db, id);
  });

  it("is half as hard for who defends, until that player's next action", async () => {
    const [one, other] = players(2) as [string, string];
    const id = await api.make([one, other], { settings: { rules: { damage: { attack: 15 } } } });
    await api.act(id, other, { action_type: "defend" });
    expect(hitBy(await api.act(id, one, { target_id: other }))).toBe(7);
    expect(hitBy(await api.act(id, one, { target_id: other }))).toBe(7);
    await api.act(id, other, { action_type: "move" });
    expect(hitBy(await api.act(id, one, { target_id: other }))).toBe(15);
    await api.act(id, one, { action_type: "defend" });
    expect(hitBy(await api.act(id, one, { target_id: one }))).toBe(15);
    await expectFolded(db, id);
  });

  it("of a service is as the service says; a player's own figures count for nothing", async () => {
    const [one, other, third] = players(3) as [string, string, string];
    const id = await api.make([one, other, third]);
    const given = { target_id: other, damage: 33, effects: [{ type: "burn", value: 1.5, duration: 3 }], score: 4 };
    const bold = await api.act(id, one, { ...given, eliminated: true });
    expect([hitBy(bold), bold.body.effects]).toEqual([10, []]);
    const { body } = await api.act(id, one, given, "service");
    expect([body.damage_dealt, body.effects, body.sequence]).toEqual([33, given.effects, 2]);
    await api.act(id, one, { target_id: third, eliminated: true }, "service");
    await api.act(id, one, { target_id: other, damage: 100, eliminated: false }, "service");
    expect(standings(await api.readState(id, one))).toEqual(["active 100 124", "active 0 0", "eliminated 90 0"]);
    await expectFolded(db, id);
  });

  it("hits nobody who is out already", async () => {
    const [one, other, third] = players(3) as [string, string, string];
    const id = await api.make([one, other, third], { settings: { rules: { health: 10 } } });
    await api.act(id, one, { target_id: other });
    const again = await api.act(id, third, { target_id: other });
    expect([hitBy(again), standings({ ...again, body: again.body.new_state })]).toEqual([
      0,
      ["active 10 10", "eliminated 0 0", "active 10 0"],
    ]);
    await expectFolded(db, id);
  });

  it("that leaves one ends the match, and is answered with its end", async () => {
    const [one, other] = players(2) as [string, string];
    const id = await api.make([one, other], { settings: { rules: { health: 10 } } });
    const { body } = await api.act(id, one, { target_id: other });
    expect(body).toMatchObject({ sequence: 1, new_state: { phase: "finished", time_remaining: 0 } });
    expect(body.new_state.events.map((event: { type: string }) => event.type)).toEqual(["action", "ended"]);
    expect(body.new_state.events[1].data).toEqual({ status: "completed", ended_reason: "decided", winner: one });
    const { body: match } = await api.read(id, other);
    expect(match).toMatchObject({ status: "completed", stats: { winner: one, eliminations: 1, total_damage: 10 } });
    expect(match.ended_at).toBe(body.timestamp);
    await expectFolded(db, id);
  });

  it("shows large parameters in the stream alone", async () => {
    const [one] = players(1) as [string];
    const id = await api.make([one]);
    const { body } = await api.act(id, one, { action_type: "move", parameters: { path: "x".repeat(2_000) } });
    expect(body.new_state.events[0].data).toMatchObject({ parameters_omitted: true });
    expect(body.new_state.events[0].data).not.toHaveProperty("parameters");
    const large = await api.act(id, one, { action_type: "move", parameters: { path: "x".repeat(16_384) } });
    expect(outcome(large)).toBe("400 invalid_request");
  });
});

describe("an action that is sent again", () => {
  it("gets the same answer, whatever has happened since, also after the end, and happens once", async () => {
    const [one, other] = players(2) as [string, string];
    const id = await api.make([one, other], { settings: { rules: { health: 30 } } });
    const action = {
      target_id: other,
      action_id: randomUUID(),
      parameters: { n: 1 },
      timestamp: "2026-03-02T10:00:00+01:00",
    };
    const first = await api.act(id, one, action);
    expect(first.body.new_state.events[0].data.timestamp).toBe("2026-03-02T09:00:00.000Z");
    const repeat = () => api.act(id, one, { ...action, action_id: action.action_id.toUpperCase() });
    await api.act(id, other, { target_id: one });
    await age(db, id, 5);
    const last = { target_id: other, action_id: randomUUID() };
    await api.act(id, one, { target_id: other });
    const deciding = await api.act(id, one, last);
    expect(deciding.body.new_state.phase).toBe("finished");
    expect((await api.act(id, one, last)).body).toEqual(deciding.body);
    const shifted = JSON.parse(JSON.stringify(first.body), (key, value) =>
      ["timestamp", "joined_at"].includes(key) && value !== "2026-03-02T09:00:00.000Z"
        ? new Date(Date.parse(value) - 5_000).toISOString()
        : value,
    );
    expect((await repeat()).body).toEqual(shifted);
    expect((await api.read(id, one)).body.stats.total_actions).toBe(4);
  });

  it("gets the same answer though the clock was set back by more than the match's age", async () => {
    const [one, other] = players(2) as [string, string];
    const id = await api.make([one, other]);
    const action = { target_id: other, action_id: randomUUID() };
    const { body } = await api.act(id, one, action);
    await db.sql`
      UPDATE service_state SET clock_steps = clock_steps + 1, clock_stepped_at = clock_timestamp() - interval '1 hour'`;
    expect((await api.act(id, one, action)).body).toEqual(body);
    expect((await api.readState(id, one)).body.participants).toEqual(body.new_state.participants);
    await expectFolded(db, id);
  });

  it("with another body is refused, before anything else", async () => {
    const [one, other] = players(2) as [string, string];
    const id = await api.make([one, other]);
    const action_id = randomUUID();
    await api.act(id, one, { action_id });
    expect(outcome(await api.act(id, one, { action_id, target_id: other }))).toBe("409 action_conflict");
    expect(outcome(await api.act(id, other, { action_id }))).toBe("409 action_conflict");
    expect((await api.read(id, one)).body.stats.total_actions).toBe(1);
  });

  it("is another match's own", async () => {
    const [one] = players(1) as [string];
    const action_id = randomUUID();
    for (const id of [await api.make([one]), await api.make([one])]) {
      expect((await api.act(id, one, { action_id })).body.sequence).toBe(1);
    }
  });
});

describe("an action is refused", () => {
  const refused = async (id: string) => {
    const [row] = await db.sql`
      SELECT c.refused_actions AS n FROM game_combats c JOIN game_sessions s ON s.number = c.session WHERE s.session_id = ${id}`;
    return row?.n;
  };

  it("in the contract's order, and changes nothing but the count of what participants were refused", async () => {
    const [one, other, third] = players(3) as [string, string, string];
    const stranger = newPlayer();
    const rules = { health: 10, cooldown_ms: { attack: 60_000 }, open: true };
    const id = await api.make([one, other, third], { settings: { rules } });
    const closed = await api.make([one, other]);
    expect(outcome(await api.act(closed, stranger))).toBe("404 session_not_found");
    expect(outcome(await api.act(randomUUID(), one))).toBe("404 session_not_found");
    expect(outcome(await api.act(id, other, {}, one))).toBe("403 forbidden");
    expect(outcome(await api.act(id, stranger, {}, one))).toBe("403 forbidden");
    expect(outcome(await api.act(id, stranger))).toBe("403 not_participant");
    expect(outcome(await api.act(id, stranger, {}, "service"))).toBe("403 not_participant");
    expect(await refused(id)).toBe(0);
    expect(outcome(await api.act(id, one, { target_id: stranger }))).toBe("400 unknown_target");
    await api.act(id, one, { target_id: third });
    await api.pause(id);
    expect(outcome(await api.act(id, third))).toBe("409 not_active");
    const early = await api.act(id, one, { target_id: stranger });
    expect(outcome(early)).toBe("409 cooldown");
    expect(early.body.details.ready_in).toBeGreaterThan(50);
    expect(early.body.details.ready_in).toBeLessThanOrEqual(60);
    expect(outcome(await api.act(id, one, { action_type: "move", target_id: stranger }))).toBe("409 paused");
    await api.resume(id);
    await api.leave(id, other); // one is left
    expect(outcome(await api.act(id, one, { action_type: "move", target_id: stranger }))).toBe("409 session_over");
    expect((await api.act(id, other)).body.message).toBe("The player is disconnected");
    expect(await refused(id)).toBe(6);
    expect((await api.read(id, one)).body.stats.total_actions).toBe(1);
    await expectFolded(db, id);
  });

  it("as too early until its cooldown is over, each type and player apart", async () => {
    const [one, other] = players(2) as [string, string];
    const id = await api.make([one, other], { settings: { rules: { cooldown_ms: { attack: 10_000 } } } });
    await api.act(id, one);
    expect(outcome(await api.act(id, one))).toBe("409 cooldown");
    expect(outcome(await api.act(id, one, { action_type: "ability" }))).toBe("200");
    expect(outcome(await api.act(id, other))).toBe("200");
    await age(db, id, 9);
    expect(outcome(await api.act(id, one))).toBe("409 cooldown");
    await age(db, id, 1);
    expect(outcome(await api.act(id, one))).toBe("200");
  });

  it("as too early not for longer than its cooldown, though the clock was set back", async () => {
    const [one] = players(1) as [string];
    const id = await api.make([one], { settings: { rules: { cooldown_ms: { attack: 10_000 } } } });
    await api.act(id, one);
    await db.sql`
      UPDATE game_participants SET ready_at = jsonb_build_object('attack', clock_timestamp() + interval '1 hour')
      WHERE player_id = ${one}`;
    expect(outcome(await api.act(id, one))).toBe("200");
  });

  it.each([
    { action_type: "dance" },
    { target_id: "nobody" },
    { action_id: "x" },
    { parameters: [] },
    { damage: -1 },
    { timestamp: "yesterday" },
  ])("with 400 where its shape is wrong: %j", async (wrong) => {
    const [one] = players(1) as [string];
    const id = await api.make([one]);
    expect(outcome(await api.act(id, one, wrong, "service"))).toBe("400 invalid_request");
    expect((await api.read(id, one)).body.stats.total_actions).toBe(0);
  });
});
