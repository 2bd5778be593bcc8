import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { gameEventsPage, gameReply, gamesPage } from "../../../src/admin/game/contract.ts";
import { combatApi } from "../../sessions/game/combat/support/combat.ts";
import { age, gameApi, makeMatch, newPlayer, outcome } from "../../sessions/game/support/game.ts";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { byToken, exactly, readAll } from "../support/admin.ts";

const db = useDatabase();
const app = useApp(db);
const api = gameApi(app);
const admin = () => byToken(app);
const found = async (query: Record<string, string>) => {
  const games = await readAll((cursor) =>
    admin().get(`/game?${new URLSearchParams({ limit: "2", ...query })}${cursor}`),
  );
  return games.map(({ session_id }) => session_id);
};

describe("the operator's list of game sessions", () => {
  it("finds by the beginning of an id, by a player who made it or plays in it, by type and status, newest first", async () => {
    const [player, other] = [newPlayer(), newPlayer()];
    const mine = await api.make(player, { type: "auth" });
    const theirs = await api.make(other);
    const match = await makeMatch(api, other, [player]);
    await api.update(theirs, other, { status: "paused" });
    expect(await found({ search: mine })).toEqual([mine]);
    expect(await found({ search: mine.slice(0, 8).toUpperCase() })).toEqual([mine]);
    expect(await found({ search: mine.slice(0, 7) })).toEqual([]);
    expect(await found({ search: mine, status: "paused" })).toEqual([]);
    expect(await found({ search: player })).toEqual([match, mine]);
    expect(await found({ search: other.toUpperCase() })).toEqual([match, theirs]);
    expect(await found({ search: player, type: "auth" })).toEqual([mine]);
    expect(await found({ search: newPlayer() })).toEqual([]);
    expect(await found({ search: "nobody" })).toEqual([]);
    expect(await found({ status: "paused" })).toEqual([theirs]);
    expect(await found({ type: "player" })).toEqual([theirs]);
    expect(await found({ search: "" })).toEqual([match, theirs, mine]);
    const { body } = await admin().get("/game");
    expect(exactly(gamesPage, body).items[1]).toEqual((await api.read(theirs, other)).body);
    for (const wrong of ["status=late", "type=pvp", `search=${"a".repeat(101)}`, "limit=0", "cursor=x"]) {
      expect([wrong, outcome(await admin().get(`/game?${wrong}`))]).toEqual([wrong, "400 invalid_request"]);
    }
  });

  it("has none alive whose time is over", async () => {
    const player = newPlayer();
    const id = await api.make(player);
    await age(db, id, 86_410);
    expect(await found({ search: player, status: "active" })).toEqual([]);
    expect(await found({ search: id, status: "terminated" })).toEqual([id]);
  });
});

describe("a game session for operators", () => {
  it("is shown with its log and what has happened in it, and to look is no call for it", async () => {
    const player = newPlayer();
    const id = await api.make(player, { metadata: { a: null } });
    await api.update(id, player, { status: "paused" });
    await age(db, id, 86_000);
    const { body } = await admin().get(`/game/${id}`);
    const { session } = exactly(gameReply, body);
    expect(session).toMatchObject({ status: "paused", metadata: { a: null }, stats: { events_count: 2 } });
    expect(session.logs?.map(({ event_type }) => event_type)).toEqual(["created", "paused"]);
    expect((await admin().get(`/game/${id}/logs?limit=1`)).body).toEqual({
      logs: session.logs?.slice(1),
      next_cursor: "2",
    });
    expect((await admin().get(`/game/${id}/logs?limit=1&cursor=2`)).body).toEqual({ logs: session.logs?.slice(0, 1) });
    await age(db, id, 410);
    expect((await admin().get(`/game/${id}`)).body.session).toMatchObject({
      status: "terminated",
      ended_reason: "silence",
    });
    for (const path of [`/game/${randomUUID()}`, "/game/no-id", `/game/${randomUUID()}/logs`]) {
      expect(outcome(await admin().get(path))).toBe("404 session_not_found");
    }
  });
});

describe("a match for operators", () => {
  it("is shown with who takes part, and page by page what happened, and to look is no call for it", async () => {
    const [a, b] = [newPlayer(), newPlayer()];
    const { make, act, readState, read } = combatApi(app);
    const id = await make([a, b]);
    for (let n = 0; n < 5; n++) await act(id, a, { target_id: b });
    const { events } = (await readState(id, a)).body;
    const match = (await read(id, a)).body;
    await db.sql`UPDATE game_sessions SET last_call = last_call - interval '10 seconds' WHERE session_id = ${id}`;
    const heard = () => db.sql`SELECT last_call FROM game_sessions WHERE session_id = ${id}`;
    const before = await heard();
    const shown = exactly(gameReply, (await admin().get(`/game/${id}`)).body);
    const still = ({ duration_seconds, performance_metrics, ...stats }: typeof match.stats) => stats;
    expect({ ...shown.match, stats: still(shown.match?.stats) }).toEqual({ ...match, stats: still(match.stats) });
    const page = exactly(gameEventsPage, (await admin().get(`/game/${id}/events?limit=2`)).body);
    expect(page).toEqual({ events: events.slice(3), next_cursor: "4" });
    expect((await admin().get(`/game/${id}/events?limit=3&cursor=4`)).body).toEqual({
      events: events.slice(0, 3),
      next_cursor: null,
    });
    expect(await heard()).toEqual(before);
    for (const wrong of ["limit=0", "limit=501", "cursor=x"]) {
      expect(outcome(await admin().get(`/game/${id}/events?${wrong}`))).toBe("400 invalid_request");
    }
    const bare = await api.make(a);
    expect((await admin().get(`/game/${bare}`)).body.match).toBeUndefined();
    for (const path of [`/game/${bare}/events`, `/game/${randomUUID()}/events`]) {
      expect(outcome(await admin().get(path))).toBe("404 session_not_found");
    }
  });
});

describe("the numbers over games for operators", () => {
  it("are what a service is told", async () => {
    await api.make(newPlayer());
    for (const timeframe of ["1h", "6h", "24h", "7d", "30d"]) {
      const query = `timeframe=${timeframe}&session_type=all&metric=count`;
      const due = await api.send("GET", `/analytics/sessions?${query}`, "service");
      expect((await admin().get(`/game/analytics?${query}`)).body).toEqual(due.body);
    }
    expect(outcome(await admin().get("/game/analytics?timeframe=2h"))).toBe("400 invalid_request");
  });
});

describe("what operators do to a game session", () => {
  it("is in the audit log, with the session and the reason; one that changes nothing is not", async () => {
    const player = newPlayer();
    const [id, bare] = [await api.make(player), await api.make(player)];
    const { status, body } = await admin().post(`/game/${id}/end`, { reason: "asked for it" });
    expect([status, body]).toMatchObject([200, { status: "terminated", ended_reason: "operator", version: 2 }]);
    expect((await api.logs(id, player)).body.logs.at(-1)).toMatchObject({
      event_type: "terminated",
      message: "asked for it",
      data: { ended_reason: "operator", reason: "asked for it" },
    });
    expect((await admin().post(`/game/${id}/end`, { reason: "late" })).body).toEqual(body);
    expect(outcome(await admin().post(`/game/${randomUUID()}/end`))).toBe("404 session_not_found");
    expect(outcome(await admin().post(`/game/${bare}/end`))).toBe("200");
    expect((await api.logs(bare, player)).body.logs.at(-1).message).toBe("ended by an operator");
    const told = async () =>
      (await admin().get("/audit")).body.items.map((item: { action: string; details: unknown }) => [
        item.action,
        item.details,
      ]);
    expect((await told()).slice(0, 2)).toEqual([
      ["game_ended", { game_session_id: bare }],
      ["game_ended", { game_session_id: id, reason: "asked for it" }],
    ]);
    expect(outcome(await admin().send("DELETE", `/players/${player}`))).toBe("200");
    expect((await told()).slice(0, 3)).toEqual([
      ["player_erased", null],
      ["game_ended", null],
      ["game_ended", null],
    ]);
    expect(outcome(await admin().send("DELETE", "/players/no-id"))).toBe("400 invalid_request");
  });
});

describe("without a way to check players' tokens", () => {
  const tokenless = useApp(db, { adminToken: "an-admin-token-for-tests", env: { JWT_SECRET: "" } });

  it("operators still see and end what there is", async () => {
    const id = await api.make(newPlayer());
    expect(outcome(await byToken(tokenless).get(`/game/${id}`))).toBe("200");
    expect(outcome(await byToken(tokenless).post(`/game/${id}/end`))).toBe("200");
  });
});
