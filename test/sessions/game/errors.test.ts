/** Under /api/v1/game every error has the published shape, whoever finds it; and the health says when there is no database. */
import { describe, expect, it } from "vitest";
import { openDatabase } from "../../../src/database/database.ts";
import { gameRoutes } from "../../../src/sessions/game/routes.ts";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { playerToken } from "../../support/player-token.ts";
import { gameApi, newPlayer } from "./support/game.ts";

const db = useDatabase();
const app = useApp(db);
const api = gameApi(app);
const player = newPlayer();

async function ask(method: string, path: string, init: RequestInit = {}) {
  const headers = { Authorization: `Bearer ${playerToken(player)}`, ...init.headers };
  const response = await app.fetch(new Request(`http://localhost${path}`, { ...init, method, headers }));
  return { status: response.status, headers: response.headers, body: JSON.parse(await response.text()) };
}
const json = (body: string) => ({ body, headers: { "Content-Type": "application/json" } });
const SESSIONS = "/api/v1/game/sessions";

function expectPublished({ status, headers, body }: Awaited<ReturnType<typeof ask>>, expected: [number, string]) {
  const [code, word] = expected;
  expect([status, body.code, body.details.code]).toEqual([code, code, word]);
  expect(Object.keys(body).sort()).toEqual(["code", "details", "message", "request_id"]);
  expect(body.message).toMatch(/^.{5,1000}$/);
  expect(body.request_id).toBe(headers.get("x-request-id"));
}

describe("an error under /api/v1/game", () => {
  it.each<[string, string, RequestInit, [number, string]]>([
    ["GET", "/api/v1/game", {}, [404, "not_found"]],
    ["GET", "/api/v1/game/", {}, [404, "not_found"]],
    ["GET", "/api/v1/game/nothing/here", {}, [404, "not_found"]],
    ["PATCH", `${SESSIONS}/1`, {}, [405, "method_not_allowed"]],
    ["DELETE", SESSIONS, {}, [405, "method_not_allowed"]],
    ["POST", "/api/v1/game/health", {}, [405, "method_not_allowed"]],
    ["POST", SESSIONS, json("{"), [400, "invalid_request"]],
    ["POST", SESSIONS, json("[]"), [400, "invalid_request"]],
    ["POST", SESSIONS, { body: "{}", headers: { "Content-Type": "text/plain" } }, [415, "unsupported_media_type"]],
    ["POST", SESSIONS, json(`{"pad":"${"x".repeat(65_536)}"}`), [413, "payload_too_large"]],
    ["POST", SESSIONS, { body: "{}", headers: { Authorization: "Basic abc" } }, [401, "unauthorized"]],
    ["GET", `${SESSIONS}?limit=0`, {}, [400, "invalid_request"]],
  ])("%s %s is of the published shape", async (method, path, init, expected) => {
    const reply = await ask(method, path, init);
    expectPublished(reply, expected);
    expect(reply.headers.get("allow") !== null).toBe(expected[0] === 405);
  });

  it("of ours says no more than that, and when to come again", async () => {
    await db.sql`ALTER FUNCTION list_games(uuid, text[], text[], uuid, bigint, integer, integer) RENAME TO list_games_away`;
    try {
      const reply = await ask("GET", SESSIONS);
      expectPublished(reply, [500, "internal_error"]);
      expect(JSON.stringify(reply.body)).not.toMatch(/list_games|function|sql/i);
    } finally {
      await db.sql`ALTER FUNCTION list_games_away(uuid, text[], text[], uuid, bigint, integer, integer) RENAME TO list_games`;
    }
    const release = await db.lockTable("game_sessions", "ACCESS EXCLUSIVE");
    try {
      const reply = await ask("POST", SESSIONS, json(JSON.stringify({ type: "player", player_id: player })));
      expectPublished(reply, [503, "unavailable"]);
      expect(reply.headers.get("retry-after")).toMatch(/^[123]$/);
    } finally {
      await release();
    }
    expect((await api.list(player)).body.total_count).toBe(0);
  });

  it("is the service's own shape at an address that only begins alike", async () => {
    const { status, body } = await ask("GET", "/api/v1/games");
    expect([status, body.code, typeof body.error]).toEqual([404, "not_found", "string"]);
  });
});

describe("the health", () => {
  it("is unhealthy, with 503 and when to come again, while the database does not answer", async () => {
    const away = openDatabase("postgres://nobody:nothing@127.0.0.1:1/nowhere");
    try {
      const routes = gameRoutes({ database: away, readCaller: () => Promise.reject(new Error("nobody is asked")) });
      const response = await routes.request("/health");
      expect([response.status, response.headers.get("retry-after")]).toEqual([503, expect.stringMatching(/^[123]$/)]);
      expect(await response.json()).toEqual({
        status: "unhealthy",
        timestamp: expect.stringMatching(/\.\d{3}Z$/),
        version: expect.any(String),
        uptime_seconds: expect.any(Number),
      });
    } finally {
      await away.close();
    }
  });
});
