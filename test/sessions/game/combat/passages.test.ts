import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { useApp } from "../../../support/app.ts";
import { useDatabase } from "../../../support/database.ts";
import { newPlayer, outcome } from "../support/game.ts";
import { age, combatApi, expectFolded, players, standings } from "./support/combat.ts";

const db = useDatabase();
const app = useApp(db);
const api = combatApi(app);

const open = (all: string[], rules: object = {}, more: object = {}) =>
  api.make(all, { settings: { rules: { open: true, ...rules } }, ...more });
const idsOf = ({ body }: { body: { participants: Array<{ player_id: string }> } }) =>
  body.participants.map(({ player_id }) => player_id);

describe("who joins an open match", () => {
  it("takes the next place, unhurt, as one change and one event a player; twice changes nothing", async () => {
    const [one, two, three] = players(3) as [string, string, string];
    const id = await open([one], { health: 50 });
    const { status, body } = await api.join(id, two);
    expect([status, body.version, idsOf({ body }), standings({ body } as never)]).toEqual([
      200,
      2,
      [one, two],
      ["active 50 0", "active 50 0"],
    ]);
    expect((await api.join(id, two)).body.version).toBe(2);
    expect((await api.join(id, "service", [three, two])).body.version).toBe(3);
    expect((await api.readState(id, one)).body.events).toMatchObject([
      { sequence: 1, type: "joined", data: { player_id: two } },
      { sequence: 2, type: "joined", data: { player_id: three } },
    ]);
    const entries = await db.sql`
      SELECT e.event, e.data FROM game_log_entries e JOIN game_sessions s ON s.number = e.session
      WHERE s.session_id = ${id} ORDER BY e.id`;
    expect([...entries]).toEqual([
      { event: "created", data: null },
      { event: "joined", data: { player_ids: [two] } },
      { event: "joined", data: { player_ids: [three] } },
    ]);
    expect(outcome(await api.act(id, three, { target_id: one }))).toBe("200");
    await expectFolded(db, id);
  });

  it("comes back with health, score and place, and is no new player", async () => {
    const [one, two, three] = players(3) as [string, string, string];
    const id = await open([one, two, three], { max_participants: 3 });
    await api.act(id, two, { target_id: one });
    await api.act(id, one, { target_id: two });
    const before = (await api.read(id, two)).body.participants;
    expect((await api.leave(id, two)).body.participants[1]).toMatchObject({
      status: "disconnected",
      score: 10,
      health: 90,
    });
    expect(outcome(await api.act(id, two))).toBe("409 not_active");
    expect(await api.act(id, one, { target_id: two }).then(({ body }) => body.damage_dealt)).toBe(0);
    expect(outcome(await api.join(id, newPlayer()))).toBe("409 full");
    const { status, body } = await api.join(id, two);
    expect([status, body.participants]).toEqual([200, before]);
    expect(outcome(await api.act(id, two))).toBe("200");
    await expectFolded(db, id);
  });

  it("and comes back after the clock was set back, has joined when it came first", async () => {
    const [one, two] = players(2) as [string, string];
    const id = await open([one]);
    await api.join(id, two);
    await db.sql`UPDATE game_events SET at = at + interval '1 hour'`;
    await db.sql`UPDATE game_participants SET joined_at = joined_at + interval '1 hour' WHERE player_id = ${two}`;
    const action = { target_id: one, action_id: randomUUID() };
    const { body } = await api.act(id, two, action);
    await api.leave(id, two);
    await api.join(id, two);
    expect((await api.act(id, two, action)).body).toEqual(body);
    await expectFolded(db, id);
  });

  it("is refused where no place is left, a list whole", async () => {
    const [one, two, three] = players(3) as [string, string, string];
    const id = await open([one], { max_participants: 2 });
    const refused = await api.join(id, "service", [two, three]);
    expect([outcome(refused), refused.body.details.places_left]).toEqual(["409 full", 1]);
    expect(idsOf(await api.read(id, one))).toEqual([one]);
    expect(outcome(await api.join(id, "service", [one, two]))).toBe("200");
    expect(outcome(await api.join(id, three))).toBe("409 full");
    await expectFolded(db, id);
  });

  it("is refused when eliminated, for others, and where the match is closed or over; nothing changes", async () => {
    const [one, two, three] = players(3) as [string, string, string];
    const id = await open([one, two, three], { health: 10 });
    await api.act(id, one, { target_id: two });
    const before = (await api.read(id, one)).body;
    expect(outcome(await api.join(id, two))).toBe("409 not_active");
    expect(outcome(await api.join(id, "service", [newPlayer(), two]))).toBe("409 not_active");
    expect(outcome(await api.join(id, one, [newPlayer()]))).toBe("403 forbidden");
    expect(outcome(await api.join(id, newPlayer(), [one]))).toBe("403 forbidden");
    expect(outcome(await api.join(id, "service"))).toBe("400 invalid_request");
    expect(outcome(await api.join(id, "service", [one, one]))).toBe("400 invalid_request");
    expect((await api.read(id, one)).body).toMatchObject({
      version: before.version,
      participants: before.participants,
    });
    const closed = await api.make([one]);
    expect(outcome(await api.join(closed, one))).toBe("409 not_open");
    expect(outcome(await api.leave(closed, one))).toBe("409 not_open");
    expect(outcome(await api.join(closed, two))).toBe("404 session_not_found");
    await api.act(id, one, { target_id: three });
    const over = await api.join(id, newPlayer());
    expect([outcome(over), over.body.details]).toMatchObject([
      "409 session_over",
      { status: "completed", ended_reason: "decided", ended_at: expect.any(String) },
    ]);
    expect(outcome(await api.leave(id, one))).toBe("409 session_over");
  });

  it("may do so while it is prepared or paused", async () => {
    const [one, two, three] = players(3) as [string, string, string];
    const id = await open([one], { preparation_seconds: 30 });
    expect((await api.join(id, two)).body.status).toBe("initializing");
    await api.pause(id);
    expect((await api.join(id, three)).body.status).toBe("paused");
    await expectFolded(db, id);
  });
});

describe("who leaves an open match", () => {
  it("must take part, a list as a whole; twice, or eliminated, changes nothing", async () => {
    const [one, two, three, four] = players(4) as [string, string, string, string];
    const id = await open([one, two, three], { health: 10 });
    expect(outcome(await api.leave(id, four))).toBe("403 not_participant");
    expect(outcome(await api.leave(id, "service", [one, four]))).toBe("403 not_participant");
    expect(outcome(await api.leave(id, one, [two]))).toBe("403 forbidden");
    expect((await api.read(id, one)).body.version).toBe(1);
    await api.act(id, one, { target_id: two });
    expect((await api.leave(id, two)).body).toMatchObject({
      version: 1,
      participants: [{}, { status: "eliminated" }, {}],
    });
    await expectFolded(db, id);
  });

  it("is answered the same again when its going has ended the match; who has not gone is told that it is over", async () => {
    const [one, two, three] = players(3) as [string, string, string];
    const id = await open([one, two, three]);
    await api.leave(id, two);
    const left = await api.leave(id, one);
    const again = await api.leave(id, one);
    expect([again.status, again.body]).toEqual([200, left.body]);
    expect((await api.leave(id, "service", [two, one])).body).toEqual(left.body);
    expect(outcome(await api.leave(id, three))).toBe("409 session_over");
    expect(outcome(await api.leave(id, "service", [one, three]))).toBe("409 session_over");
    expect(outcome(await api.join(id, one))).toBe("409 session_over");
    await expectFolded(db, id);
  });

  it("leaves the last one as the winner; of two at once nobody is", async () => {
    const [one, two, three] = players(3) as [string, string, string];
    const id = await open([one, two, three]);
    await api.leave(id, two);
    const { body } = await api.leave(id, one);
    expect(body).toMatchObject({ status: "completed", stats: { winner: three } });
    const other = await open([one, two]);
    const together = await api.leave(other, "service", [one, two]);
    expect([together.body.status, "winner" in together.body.stats]).toEqual(["completed", false]);
    for (const match of [id, other]) await expectFolded(db, match);
  });
});

describe("a match is decided", () => {
  it("of one, and against the environment, when nobody is left", async () => {
    const [one, two] = players(2) as [string, string];
    const alone = await open([one]);
    const pve = await open([one, two], {}, { mode: "pve" });
    await api.join(alone, two); // it has begun as one
    for (const id of [alone, pve]) {
      expect((await api.leave(id, two)).body.status).toBe("active");
      const { body } = await api.leave(id, one);
      expect([body.status, "winner" in body.stats]).toEqual(["completed", false]);
      await expectFolded(db, id);
    }
  });

  it("by who was there when its preparation was over", async () => {
    const [one, two] = players(2) as [string, string];
    const gathered = await open([one], { preparation_seconds: 30 });
    await api.join(gathered, two);
    const scattered = await open([one, two], { preparation_seconds: 30 });
    await api.leave(scattered, two);
    for (const id of [gathered, scattered]) await age(db, id, 30);
    expect((await api.leave(gathered, two)).body).toMatchObject({ status: "completed", stats: { winner: one } });
    expect((await api.read(scattered, one)).body.status).toBe("active");
    await expectFolded(db, gathered);
  });
});
