import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { playerToken } from "../../support/player-token.ts";
import { age as ageOf, gameApi, makeMatch as makeMatchOf, newPlayer, outcome } from "./support/game.ts";

const db = useDatabase();
const app = useApp(db);
const api = gameApi(app);
const age = (id: string, seconds: number) => ageOf(db, id, seconds);
const makeMatch = (player: string, others?: string[], open?: boolean) => makeMatchOf(api, player, others, open);

const rollups = async () => {
  const [row] = await db.sql`
    SELECT sum(sessions)::int AS sessions, sum(paused)::int AS paused, sum(completed)::int AS completed,
           sum(terminated)::int AS terminated, sum(duration_ms)::bigint AS duration_ms FROM game_rollups`;
  return row;
};
const counted = async () => {
  const [row] = await db.sql`
    SELECT count(*)::int AS sessions, (count(*) FILTER (WHERE status = 'paused'))::int AS paused,
           (count(*) FILTER (WHERE status = 'completed'))::int AS completed,
           (count(*) FILTER (WHERE status = 'terminated'))::int AS terminated,
           coalesce(sum(game_duration_ms(s, ended_at)) FILTER (WHERE ended_at IS NOT NULL), 0)::bigint AS duration_ms
    FROM game_sessions s`;
  return row;
};

describe("a session", () => {
  it("is made with what its player sends, and is read as it was made, without a null", async () => {
    const player = newPlayer();
    const metadata = { region: "eu", nothing: null };
    const { status, body, headers } = await api.create(player, { metadata, settings: { hud: [1, null] } });
    expect(status).toBe(201);
    expect(headers.get("etag")).toBe('"1"');
    expect(body).toEqual({
      session_id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4/),
      type: "player",
      player_id: player,
      status: "active",
      version: 1,
      created_at: expect.stringMatching(/\.\d{3}Z$/),
      updated_at: body.created_at,
      metadata,
      settings: { hud: [1, null] },
    });
    const read = await api.read(body.session_id, player);
    expect([read.status, read.body, read.headers.get("etag")]).toEqual([200, body, '"1"']);
    const bare = (await api.create(player, { type: "custom", metadata: null })).body;
    expect(Object.keys(bare).sort()).toEqual(
      ["created_at", "player_id", "session_id", "status", "type", "updated_at", "version"].sort(),
    );
    const entries = await db.sql`
      SELECT e.id, e.event FROM game_log_entries e JOIN game_sessions s ON s.number = e.session
      WHERE s.session_id = ${body.session_id}`;
    expect([...entries]).toEqual([{ id: 1, event: "created" }]);
  });

  it("is its player's, a service's and nobody else's; a service makes it for anybody", async () => {
    const [player, other] = [newPlayer(), newPlayer()];
    const id = await api.make(player);
    expect(outcome(await api.read(id, other))).toBe("404 session_not_found");
    expect(outcome(await api.read(randomUUID(), player))).toBe("404 session_not_found");
    expect(outcome(await api.read("no-id", player))).toBe("404 session_not_found");
    expect(outcome(await api.read(id, "service"))).toBe("200");
    expect(outcome(await api.read(id, player.toUpperCase()))).toBe("200");
    const inAnothersName = await api.send("POST", "/sessions", other, { type: "player", player_id: player });
    expect(outcome(inAnothersName)).toBe("403 forbidden");
    expect((await api.send("POST", "/sessions", "service", { type: "auth", player_id: other })).body.player_id).toBe(
      other,
    );
  });

  it("that is a match is seen by who takes part, and where it is open by every player", async () => {
    const [player, guest, stranger] = [newPlayer(), newPlayer(), newPlayer()];
    const closed = await makeMatch(player, [guest]);
    const open = await makeMatch(player, [], true);
    expect(outcome(await api.read(closed, guest))).toBe("200");
    expect(outcome(await api.read(closed, stranger))).toBe("404 session_not_found");
    expect(outcome(await api.read(open, stranger))).toBe("200");
  });

  it("refuses a wrong body with 400 in the published shape, and makes nothing", async () => {
    const player = newPlayer();
    for (const wrong of [{ type: "pvp" }, { metadata: [] }, { settings: { text: "x".repeat(16_384) } }]) {
      expect(outcome(await api.create(player, wrong))).toBe("400 invalid_request");
    }
    const { body } = await api.create(player, { type: "pvp" });
    expect(body).toEqual({
      code: 400,
      message: expect.stringMatching(/^Invalid request: type: /),
      details: { code: "invalid_request", issues: [{ path: "type", message: expect.any(String) }] },
      request_id: expect.any(String),
    });
    const [row] = await db.sql`SELECT count(*)::int AS n FROM game_sessions WHERE player_id = ${player}`;
    expect(row?.n).toBe(0);
  });

  it("comes once of one Idempotency-Key, also of fifty at once, and as it was made", async () => {
    const [player, other] = [newPlayer(), newPlayer()];
    const key = { "Idempotency-Key": "start-1" };
    const replies = await Promise.all(
      Array.from({ length: 50 }, () => api.create(player, { metadata: { a: 1 } }, key)),
    );
    expect(new Set(replies.map(({ status, body }) => `${status} ${JSON.stringify(body)}`)).size).toBe(1);
    const { session_id } = replies[0]?.body ?? {};
    await db.sql`UPDATE game_sessions SET metadata = '{"a": 2}', version = 2 WHERE session_id = ${session_id}`;
    expect((await api.create(player, { metadata: { a: 1 } }, key)).body).toEqual(replies[0]?.body);
    expect(outcome(await api.create(player, { metadata: { a: 2 } }, key))).toBe("409 idempotency_conflict");
    expect((await api.create(other, { metadata: { a: 1 } }, key)).body.session_id).not.toBe(session_id);
    await db.sql`UPDATE game_idempotency_keys SET created_at = created_at - interval '25 hours' WHERE caller = ${player}`;
    expect((await api.create(player, { metadata: { a: 1 } }, key)).body.session_id).not.toBe(session_id);
  });
});

describe("who asks", () => {
  it("is a valid token's player, or a service by any of three claims; anybody else is 401", async () => {
    const player = newPlayer();
    const id = await api.make(player);
    const tokens: Array<[string | undefined, string]> = [
      [undefined, "401 unauthorized"],
      ["a.bad.token", "401 unauthorized"],
      [playerToken("no-uuid"), "401 unauthorized"],
      [playerToken(player, { exp: 1 }), "401 unauthorized"],
      [playerToken("x", { role: "service" }), "200"],
      [playerToken("x", { roles: ["player", "service"] }), "200"],
      [playerToken("x", { scope: "games service" }), "200"],
      [playerToken("x", { scope: "services" }), "401 unauthorized"],
      [playerToken(newPlayer(), { role: "player" }), "404 session_not_found"],
      [playerToken(player), "200"],
    ];
    for (const [token, expected] of tokens) {
      const reply = await api.send("GET", `/sessions/${id}`, token);
      expect([token, outcome(reply)]).toEqual([token, expected]);
      if (reply.status === 401) expect(reply.headers.get("www-authenticate")).toBe('Bearer realm="keybeat game"');
    }
  });

  it("is asked nothing about the health", async () => {
    const { status, body } = await api.send("GET", "/health");
    expect([status, body]).toEqual([
      200,
      {
        status: "healthy",
        timestamp: expect.stringMatching(/\.\d{3}Z$/),
        version: expect.any(String),
        uptime_seconds: expect.any(Number),
      },
    ]);
  });
});

describe("an ending", () => {
  it("comes by silence, at the second, to whoever looks, cleanup or not", async () => {
    const player = newPlayer();
    const [lives, dead] = [await api.make(player), await api.make(player)];
    await age(lives, 86_390);
    await age(dead, 86_401);
    expect((await api.read(lives, player)).body.status).toBe("active");
    const { body } = await api.read(dead, player);
    expect(body).toMatchObject({
      status: "terminated",
      ended_reason: "silence",
      version: 2,
      updated_at: body.ended_at,
    });
    expect(Date.parse(body.ended_at) - Date.parse(body.created_at)).toBe(86_400_000);
    await age(lives, 86_390); // it was called for since
    expect((await api.read(lives, player)).body.status).toBe("active");
  });

  it("comes to a match when its time is up, pauses left out, and is its last event", async () => {
    const player = newPlayer();
    const [over, paused] = [await makeMatch(player), await makeMatch(player)];
    await db.sql`UPDATE game_sessions SET status = 'paused', paused_at = clock_timestamp() WHERE session_id = ${paused}`;
    await age(over, 61);
    await age(paused, 61);
    expect((await api.read(paused, player)).body.status).toBe("paused");
    const { body } = await api.read(over, player);
    expect(body).toMatchObject({ status: "completed", ended_reason: "max_duration" });
    expect(Date.parse(body.ended_at) - Date.parse(body.created_at)).toBe(60_000);
    const events = await db.sql`
      SELECT e.sequence, e.event, e.data FROM game_events e JOIN game_sessions s ON s.number = e.session
      WHERE s.session_id = ${over}`;
    expect([...events]).toEqual([
      { sequence: 1, event: "ended", data: { status: "completed", ended_reason: "max_duration" } },
    ]);
  });

  it("is final, whoever writes the row", async () => {
    const player = newPlayer();
    const id = await api.make(player);
    await age(id, 86_401);
    await api.read(id, player);
    await expect(
      db.sql`UPDATE game_sessions SET status = 'active', ended_at = NULL, ended_reason = NULL, not_over_before = now()
             WHERE session_id = ${id}`,
    ).rejects.toThrow("does not go from terminated to active");
  });

  it("is tidied where nobody looks", async () => {
    const player = newPlayer();
    const id = await api.make(player);
    await age(id, 86_401);
    const [done] = await db.sql`SELECT * FROM settle_games(1000)`;
    expect(done?.ended).toBeGreaterThanOrEqual(1);
    const [row] = await db.sql`SELECT status FROM game_sessions WHERE session_id = ${id}`;
    expect(row?.status).toBe("terminated");
  });

  it("and every other change is in the numbers: their sums are what the rows say, also when rows go", async () => {
    const player = newPlayer();
    await Promise.all(Array.from({ length: 20 }, () => api.make(player)));
    await db.sql`
      UPDATE game_sessions SET status = 'paused', paused_at = clock_timestamp() WHERE player_id = ${player} AND number % 3 = 0`;
    await db.sql`
      UPDATE game_sessions SET last_call = last_call - interval '2 days', not_over_before = clock_timestamp() - interval '1 day'
      WHERE player_id = ${player} AND number % 2 = 0`;
    await db.sql`SELECT settle_games(1000)`;
    expect(await rollups()).toEqual(await counted());
    expect((await counted())?.terminated).toBeGreaterThan(5);
    await db.sql`DELETE FROM game_sessions WHERE player_id = ${player} AND number % 4 = 0`;
    expect(await rollups()).toEqual(await counted());
  });
});

describe("without a way to check tokens", () => {
  const tokenless = useApp(db, { env: { JWT_SECRET: "" } });

  it("the routes do not exist", async () => {
    const away = gameApi(tokenless);
    const player = newPlayer();
    for (const reply of [
      await away.send("GET", "/health"),
      await away.create(player),
      await away.read(player, player),
    ]) {
      expect(outcome(reply)).toBe("404 not_found");
    }
  });
});
