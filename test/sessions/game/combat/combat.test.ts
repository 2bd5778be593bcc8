import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { useApp } from "../../../support/app.ts";
import { useDatabase } from "../../../support/database.ts";
import { newPlayer, outcome } from "../support/game.ts";
import { age, combatApi, expectFolded, players } from "./support/combat.ts";

const db = useDatabase();
const app = useApp(db);
const api = combatApi(app);

describe("a match", () => {
  it("is made as it is sent, is read as it was made, and is a session of its creator's", async () => {
    const [one, other] = players(2) as [string, string];
    const settings = { difficulty: "hard", mine: null, rules: { health: 7, house: [null] } };
    const made = await api.create(one, { mode: "arena", participants: [other.toUpperCase(), one], settings });
    expect(made.status).toBe(201);
    const { session_id: id, created_at } = made.body;
    const unhurt = { joined_at: created_at, status: "active", score: 0, health: 7 };
    expect(made.body).toEqual({
      session_id: expect.any(String),
      mode: "arena",
      status: "active",
      participants: [
        { player_id: other, ...unhurt },
        { player_id: one, ...unhurt },
      ],
      created_at: expect.stringMatching(/\.\d{3}Z$/),
      started_at: created_at,
      settings,
      stats: {
        duration_seconds: 0,
        total_actions: 0,
        total_damage: 0,
        eliminations: 0,
        performance_metrics: { actions_per_minute: 0 },
      },
      version: 1,
    });
    expect((await api.read(id, other)).body).toEqual(made.body);
    expect((await api.readState(id, other)).body).toEqual({
      session_id: id,
      phase: "active",
      time_remaining: 3600,
      participants: made.body.participants,
      events: [],
    });
    const session = await api.readSession(id, other);
    expect(session.body).toMatchObject({ session_id: id, type: "combat", player_id: one, status: "active", settings });
    const bare = (await api.create(one)).body;
    expect([bare.settings, bare.participants[0].health]).toEqual([{}, 100]);
  });

  it("is seen by who made it, who takes part, and a service; where it is open by every player", async () => {
    const [one, other] = players(2) as [string, string];
    const stranger = newPlayer();
    const closed = (await api.create(one, { participants: [other] })).body.session_id;
    const open = await api.make([one], { settings: { rules: { open: true } } });
    const plain = (await api.send("POST", "/sessions", one, { type: "combat", player_id: one })).body.session_id;
    for (const look of [
      api.read,
      api.readState,
      (id: string, as: string) => api.send("GET", `/combat/sessions/${id}/events`, as, undefined, {}),
    ]) {
      expect(outcome(await look(closed, stranger))).toBe("404 session_not_found");
      expect(outcome(await look(plain, one))).toBe("404 session_not_found");
      expect(outcome(await look(randomUUID(), "service"))).toBe("404 session_not_found");
      expect(outcome(await look("none", "service"))).toBe("404 session_not_found");
    }
    for (const [id, as] of [
      [closed, one],
      [closed, other],
      [closed, "service"],
      [open, stranger],
    ] as const) {
      expect([outcome(await api.read(id, as)), outcome(await api.readState(id, as))]).toEqual(["200", "200"]);
    }
    expect(outcome(await api.act(plain, one))).toBe("404 session_not_found");
  });

  it("of a service whose name is no UUID has a creator that is no player", async () => {
    const [one] = players(1) as [string];
    const made = [
      await api.create("service", { participants: [one] }),
      await api.create("service", { participants: [one] }),
    ];
    const creators = [];
    for (const { body } of made) creators.push((await api.readSession(body.session_id, one)).body.player_id);
    expect(new Set(creators)).toEqual(new Set([expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab]/)]));
  });

  it.each([
    { mode: "custom" },
    { participants: [] },
    { participants: Array.from({ length: 101 }, newPlayer) },
    { settings: { max_duration: 59 } },
    { settings: { difficulty: "nightmare" } },
    { settings: { rules: { health: 0 } } },
    { settings: { rules: { damage: { attack: -1 } } } },
    { settings: { rules: { damage: { dance: 1 } } } },
    { settings: { rules: { defend_factor: 1.5 } } },
    { settings: { rules: { max_participants: 101 } } },
    { settings: { max_duration: 60, rules: { preparation_seconds: 60 } } },
    { settings: { text: "x".repeat(16_384) } },
    { settings: { text: "\0" } },
  ])("is refused with 400 where it makes no sense: %j", async (wrong) => {
    const [one] = players(1) as [string];
    expect(outcome(await api.create(one, wrong))).toBe("400 invalid_request");
    expect((await api.list(one)).body.total_count).toBe((await api.list(newPlayer())).body.total_count);
  });

  it("is refused with a player twice, also in two cases, and with more than it has places for", async () => {
    const [one, other] = players(2) as [string, string];
    expect(outcome(await api.create(one, { participants: [one, one.toUpperCase()] }))).toBe("400 invalid_request");
    const tight = { participants: [one, other], settings: { rules: { max_participants: 1 } } };
    expect(outcome(await api.create(one, tight))).toBe("400 invalid_request");
  });

  it("comes once of one Idempotency-Key, as it was made, and no session by the same key", async () => {
    const [one, other] = players(2) as [string, string];
    const key = { "Idempotency-Key": "duel" };
    const body = { participants: [one, other] };
    const replies = await Promise.all(Array.from({ length: 20 }, () => api.create(one, body, key)));
    expect(new Set(replies.map((reply) => JSON.stringify([reply.status, reply.body]))).size).toBe(1);
    await api.act(replies[0]?.body.session_id, one, { target_id: other });
    expect((await api.create(one, body, key)).body).toEqual(replies[0]?.body);
    expect(outcome(await api.create(one, { ...body, mode: "pve" }, key))).toBe("409 idempotency_conflict");
    const session = await api.send("POST", "/sessions", one, { type: "combat", player_id: one }, key);
    expect(outcome(session)).toBe("409 idempotency_conflict");
  });
});

describe("the phases of a match", () => {
  const prepared = (all: string[], rules: object = {}) =>
    api.make(all, { settings: { max_duration: 600, rules: { preparation_seconds: 30, ...rules } } });
  const phase = async (id: string) => (await api.readState(id, "service")).body.phase;

  it("begin with its preparation, in which nobody acts, and which is over at the second, to whoever looks", async () => {
    const [one, other] = players(2) as [string, string];
    const id = await prepared([one, other]);
    const { body } = await api.read(id, one);
    expect([body.status, "started_at" in body, await phase(id)]).toEqual(["initializing", false, "preparation"]);
    expect((await api.readSession(id, one)).body.status).toBe("active");
    const early = await api.act(id, one, { target_id: other });
    expect(outcome(early)).toBe("409 cooldown");
    expect(early.body.details.ready_in).toBeGreaterThan(25);
    await age(db, id, 29);
    expect(await phase(id)).toBe("preparation");
    await age(db, id, 1);
    const begun = (await api.read(id, one)).body;
    expect([begun.status, begun.version, await phase(id)]).toEqual(["active", 1, "active"]);
    expect(Date.parse(begun.started_at) - Date.parse(begun.created_at)).toBe(30_000);
    expect((await api.act(id, one, { target_id: other })).body.new_state.events).toMatchObject([
      { sequence: 1, type: "started", timestamp: begun.started_at, data: { participants: 2 } },
      { sequence: 2, type: "action" },
    ]);
    await expectFolded(db, id);
  });

  it("stand still while it is paused, its preparation and its time", async () => {
    const [one, other] = players(2) as [string, string];
    const id = await prepared([one, other]);
    await age(db, id, 20);
    await api.pause(id);
    await age(db, id, 3_000);
    const { phase: still, time_remaining } = (await api.readState(id, one)).body;
    expect([still, (await api.read(id, one)).body.status]).toEqual(["preparation", "paused"]);
    expect(time_remaining).toBeGreaterThan(570);
    expect(time_remaining).toBeLessThanOrEqual(580);
    expect((await api.readState(id, one)).body.time_remaining).toBe(time_remaining);
    await api.resume(id);
    expect(await phase(id)).toBe("preparation");
    await age(db, id, 11);
    expect(await phase(id)).toBe("active");
    await expectFolded(db, id);
  });

  it("end when its time is up, pauses left out, the beginning told before", async () => {
    const [one, other] = players(2) as [string, string];
    const id = await prepared([one, other]);
    await age(db, id, 601);
    const { body } = await api.readState(id, other);
    expect(body).toMatchObject({ phase: "finished", time_remaining: 0 });
    expect(body.events.map(({ type, data }: Record<string, unknown>) => [type, data])).toEqual([
      ["started", { participants: 2 }],
      ["ended", { status: "completed", ended_reason: "max_duration" }],
    ]);
    const match = (await api.read(id, one)).body;
    expect(Date.parse(match.ended_at) - Date.parse(match.created_at)).toBe(600_000);
    expect([match.status, match.stats.duration_seconds, "winner" in match.stats]).toEqual(["completed", 600, false]);
    await expectFolded(db, id);
  });

  it("end with silence in the midst of a preparation that was paused", async () => {
    const [one] = players(1) as [string];
    const id = await prepared([one]);
    await api.pause(id);
    await age(db, id, 86_401);
    const { body } = await api.read(id, one);
    expect([body.status, "started_at" in body]).toEqual(["terminated", false]);
    await expectFolded(db, id);
  });

  it("end in the midst of the preparation when everybody has left", async () => {
    const [one, other] = players(2) as [string, string];
    const id = await prepared([one, other], { open: true });
    expect((await api.leave(id, one)).body.status).toBe("initializing");
    const { body } = await api.leave(id, other);
    expect([body.status, "started_at" in body, "winner" in body.stats]).toEqual(["completed", false, false]);
    // Before anybody looks.
    const [row] = await db.sql`SELECT status, ended_reason FROM game_sessions WHERE session_id = ${id}`;
    expect(row).toEqual({ status: "completed", ended_reason: "decided" });
    await expectFolded(db, id);
  });
});

describe("a list of matches", () => {
  it("has those of a player, in which it takes part, and open ones, newest first, page by page", async () => {
    const [one, other] = players(2) as [string, string];
    const theirs: string[] = [];
    for (let nth = 0; nth < 5; nth++) theirs.unshift(await api.make(nth % 2 ? [one, other] : [other, one]));
    const closed = await api.make(players(2));
    const open = await api.make(players(1), { settings: { rules: { open: true } } });
    const seen: string[] = [];
    for (let cursor = ""; ; ) {
      const { body } = await api.list(one, `?limit=2${cursor}`);
      expect(body).toMatchObject({ total_count_is_exact: true, has_more: "next_cursor" in body });
      seen.push(...body.sessions.map((match: { session_id: string }) => match.session_id));
      if (!body.has_more) {
        expect(body.total_count).toBe(seen.length);
        break;
      }
      cursor = `&cursor=${body.next_cursor}`;
    }
    expect(seen.filter((id) => theirs.includes(id))).toEqual(theirs);
    expect([seen.includes(open), seen.includes(closed)]).toEqual([true, false]);
    const all = (await api.list("service", "?limit=50")).body.sessions;
    expect(all.map((match: { session_id: string }) => match.session_id)).toContain(closed);
    const [newest] = (await api.list(one, "?limit=50")).body.sessions.filter(
      (match: { session_id: string }) => match.session_id === theirs[0],
    );
    expect(newest).toEqual((await api.read(theirs[0] as string, one)).body);
  });

  it("takes each status and mode, and shows no match alive whose time is over", async () => {
    const [one] = players(1) as [string];
    const ids = new Map<string, string>();
    const rules = { preparation_seconds: 30 };
    ids.set("initializing", await api.make([one], { mode: "tournament", settings: { rules } }));
    ids.set("active", await api.make([one], { mode: "pve" }));
    ids.set("paused", await api.make([one]));
    await api.pause(ids.get("paused") as string);
    ids.set("completed", await api.make([one]));
    await age(db, ids.get("completed") as string, 3_601);
    ids.set("terminated", await api.make([one]));
    await api.pause(ids.get("terminated") as string);
    await age(db, ids.get("terminated") as string, 86_401);
    const own = async (query: string) =>
      (await api.list(one, query)).body.sessions
        .filter(
          ({ participants }: { participants: Array<{ player_id: string }> }) => participants[0]?.player_id === one,
        )
        .map(({ session_id }: { session_id: string }) => session_id);
    for (const status of ["initializing", "paused", "completed", "terminated"]) {
      expect([status, await own(`?status=${status}&limit=50`)]).toEqual([status, [ids.get(status)]]);
    }
    expect(await own("?limit=50")).toEqual([ids.get("active"), ids.get("initializing")]);
    expect(await own("?mode=pve")).toEqual([ids.get("active")]);
    expect((await api.list(one, "?mode=custom")).body).toMatchObject({ sessions: [], total_count: 0, has_more: false });
    for (const wrong of ["?status=over", "?mode=duel", "?limit=51", "?limit=0", "?cursor=x"]) {
      expect(outcome(await api.list(one, wrong))).toBe("400 invalid_request");
    }
  });
});
