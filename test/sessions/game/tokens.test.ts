/** Every route of games that asks who calls, as it is described, with every token that says it wrongly; and another player's. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RouteDescription } from "../../../src/http/openapi/part.ts";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { inSeconds, playerToken, signToken } from "../../support/player-token.ts";
import { addressOf, jsonOf, nameOf, ROUTES } from "../../support/routes.ts";
import { gameApi, makeMatch, newPlayer, outcome } from "./support/game.ts";

const db = useDatabase();
const strict = { JWT_AUDIENCE: "games,other-games", JWT_ISSUER: "the-issuer" };
const app = useApp(db, { env: strict });
const loose = useApp(db);
const api = gameApi(app);

const PREFIX = "/api/v1/game";
const GUARDED = ROUTES.filter(({ path, access }) => path.startsWith(`${PREFIX}/`) && access !== "anybody");

const player = newPlayer();
const rights = { aud: "games", iss: "the-issuer" };
const claims = () => ({ sub: player, exp: inSeconds(3_600), ...rights });
const good = playerToken(player, rights);
const parts = good.split(".") as [string, string, string];
const withoutSignature = (alg: string) => {
  const [header, body] = signToken(claims(), { alg }).split(".");
  return `${header}.${body}.`;
};

/** None of these says who calls. */
const WRONG: Record<string, string | undefined> = {
  "no token": undefined,
  "no token at all, but some text": "no.token.there",
  "another one's signature": `${parts[0]}.${parts[1]}.${playerToken(newPlayer(), rights).split(".")[2]}`,
  "a signature cut short": good.slice(0, -4),
  "another secret": signToken(claims(), { secret: "another-secret-of-thirty-two-bytes-and-more" }),
  "expired beyond the tolerance": signToken({ ...claims(), exp: inSeconds(-40) }),
  "not valid yet": signToken({ ...claims(), nbf: inSeconds(100) }),
  "no end": signToken({ sub: player, ...rights }),
  none: withoutSignature("none"),
  "none, otherwise spelt": withoutSignature("NonE"),
  "none, but signed": signToken(claims(), { alg: "none" }),
  HS512: signToken(claims(), { alg: "HS512", hash: "sha512" }),
  "RS256 by the secret": signToken(claims(), { alg: "RS256" }),
  "another audience": signToken({ ...claims(), aud: "shops" }),
  "no audience": signToken({ sub: player, exp: inSeconds(3_600), iss: "the-issuer" }),
  "another issuer": signToken({ ...claims(), iss: "another" }),
  "no player": signToken({ ...claims(), sub: "somebody" }),
  "no subject": signToken({ exp: inSeconds(3_600), ...rights }),
  "a service that has expired": signToken({ ...claims(), role: "service", exp: inSeconds(-40) }),
};

/** A match of that player, which is a session too. */
let match: string;
beforeAll(async () => {
  const own = gameApi(loose);
  match = await makeMatch(own, player, [newPlayer()]);
});
afterAll(async () => {
  expect((await api.read(match, good)).body).toMatchObject({ status: "active", version: 1 });
});

const TABLES = [
  ...["game_sessions", "game_log_entries", "game_combats", "game_participants", "game_events"],
  "game_idempotency_keys",
];
/** All rows of games, and their versions. */
async function state(): Promise<string> {
  const rows = TABLES.map((table) => `SELECT '${table} ' || t.xmin || t::text AS line FROM ${table} t`);
  const [all] = await db.sql.unsafe(
    `SELECT md5(string_agg(line, ',' ORDER BY line)) AS digest FROM (${rows.join(" UNION ALL ")})`,
  );
  return all?.digest;
}

/** The route as it is described, with the body of its example. */
function ask(route: RouteDescription, token: string | undefined) {
  const path = addressOf(route, { session_id: match }).slice(PREFIX.length);
  return api.send(route.method.toUpperCase(), path, token, jsonOf(route)?.examples[0]);
}

it("there are routes, and the right token passes them all", async () => {
  expect(GUARDED.length).toBeGreaterThanOrEqual(6);
  for (const route of GUARDED) {
    const reply = await ask(route, playerToken(newPlayer(), rights));
    expect([nameOf(route), reply.status === 401]).toEqual([nameOf(route), false]);
  }
  for (const accepted of [
    signToken({ ...claims(), exp: inSeconds(-15) }),
    signToken({ ...claims(), nbf: inSeconds(15) }),
    signToken({ ...claims(), aud: ["shops", "other-games"] }),
  ]) {
    expect(outcome(await api.read(match, accepted))).toBe("200");
  }
});

describe.each(GUARDED.map((route) => ({ name: nameOf(route), route })))("$name", ({ route }) => {
  it.each(Object.keys(WRONG))("with %s is 401, and changes nothing", async (what) => {
    const before = await state();
    const { status, body, headers } = await ask(route, WRONG[what]);
    expect([status, body]).toEqual([
      401,
      { code: 401, message: expect.any(String), details: { code: "unauthorized" }, request_id: expect.any(String) },
    ]);
    expect(headers.get("www-authenticate")).toBe('Bearer realm="keybeat game"');
    expect(await state()).toBe(before);
  });

  it("as another player neither shows nor changes what is not its own", async () => {
    const before = await state();
    const stranger = newPlayer();
    const reply = await ask(route, playerToken(stranger, rights));
    const names = Object.keys(jsonOf(route)?.examples[0] ?? {});
    if (route.path.includes("{session_id}")) expect(outcome(reply)).toBe("404 session_not_found");
    else if (names.includes("player_id")) expect(outcome(reply)).toBe("403 forbidden");
    else expect(JSON.stringify(reply.body)).not.toContain(match);
    // What it makes is its own.
    await db.sql`DELETE FROM game_sessions WHERE player_id = ${stranger}`;
    expect(await state()).toBe(before);
  });
});
