/** What a page of a list reads, beside more sessions and matches than it has, of every filter: no more than the page takes. */
import { randomUUID } from "node:crypto";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { COMBAT_MODES, GAME_STATUSES, GAME_TYPES } from "../../../src/sessions/game/states.ts";
import { useDatabase } from "../../support/database.ts";
import { newPlayer } from "./support/game.ts";

const db = useDatabase();
const SESSIONS = 20_000;
const MATCHES = 3_000;
/** The table of the sessions alone has over a thousand. */
const PAGES_MAX = 500;
const BUSY = newPlayer();
const FIGHTER = newPlayer();
const NOBODY = newPlayer();

const NEWEST = "9223372036854775807";

const wordsOf = (words: readonly string[]) => `'{${words}}'`;
const quoted = (player: string | undefined) => (player ? `'${player}'` : "NULL");
const listGames = (
  types: readonly string[],
  statuses: readonly string[],
  by: { whose?: string | undefined; maker?: string | undefined },
  counted = 0,
) =>
  `list_games(${[quoted(by.whose), wordsOf(types), wordsOf(statuses), quoted(by.maker), NEWEST, 21, counted].join(", ")})`;
const listMatches = (status: string, modes: readonly string[], whose: string | undefined, counted = 0) =>
  `list_matches(${[quoted(whose), `'${status}'`, wordsOf(modes), NEWEST, 11, counted].join(", ")})`;

const GAMES = (
  [
    ["of all", GAME_TYPES, GAME_STATUSES, undefined, 21],
    ["of a status", GAME_TYPES, ["active"], undefined, 21],
    ["of a status that none has", GAME_TYPES, ["terminated"], undefined, 0],
    ["of a type that none has", ["auth"], GAME_STATUSES, undefined, 0],
    ["of a type and a status", ["combat"], ["active"], undefined, 21],
    ["of a player with many", GAME_TYPES, GAME_STATUSES, BUSY, 21],
    ["of a player without any", GAME_TYPES, GAME_STATUSES, NOBODY, 0],
  ] as const
).flatMap(([name, types, statuses, player, rows]) => [
  {
    name: `sessions ${name}, with those that it takes part in`,
    list: listGames(types, statuses, { whose: player }),
    rows,
  },
  { name: `sessions ${name}, by their maker`, list: listGames(types, statuses, { maker: player }), rows },
]);
const MATCHES_LISTED = (
  [
    ["of all", "active", COMBAT_MODES, undefined, 11],
    ["of a status that none has", "paused", COMBAT_MODES, undefined, 0],
    ["in preparation", "initializing", COMBAT_MODES, undefined, 0],
    ["of a mode", "active", ["pvp"], undefined, 11],
    ["of a mode that none has", "active", ["pve"], undefined, 0],
    ["of a player with many", "active", COMBAT_MODES, FIGHTER, 11],
    ["open to a player without any", "active", COMBAT_MODES, NOBODY, 11],
    ["of a player and a mode that none has", "completed", ["arena"], NOBODY, 0],
  ] as const
).map(([name, status, modes, player, rows]) => ({
  name: `matches ${name}`,
  list: listMatches(status, modes, player),
  rows,
}));
const COUNTED = [
  { name: "sessions, counted", list: listGames(GAME_TYPES, GAME_STATUSES, {}, 101), rows: 21 },
  { name: "matches, counted", list: listMatches("active", COMBAT_MODES, undefined, 101), rows: 11 },
];
const LISTS = [...GAMES, ...MATCHES_LISTED, ...COUNTED];

interface Read {
  rows: number;
  /** Of tables and indexes. */
  pages: number;
}

/** A connection whose plans serve all arguments: after some calls the planner makes no other. */
function openReader() {
  const sql = postgres(db.url, { max: 1, connection: { plan_cache_mode: "force_generic_plan" } });
  return {
    close: () => sql.end(),
    async read(list: string): Promise<Read> {
      const rows = await sql.unsafe(`SELECT * FROM ${list}`); // plans it, for which it reads the catalogue
      const [row] = await sql.unsafe<Array<{ "QUERY PLAN": Array<{ Plan: Record<string, number> }> }>>(
        `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM ${list}`,
      );
      const plan = row?.["QUERY PLAN"][0]?.Plan;
      return {
        rows: rows.filter(({ number, game }) => number !== null && game !== null).length,
        pages: Number(plan?.["Shared Hit Blocks"]) + Number(plan?.["Shared Read Blocks"]),
      };
    },
  };
}

/** Nearly all of them live, and of one mode; one player has made half of the sessions, another is in every match. */
async function make(sessions: number, matches: number): Promise<void> {
  await db.sql`
    INSERT INTO game_sessions (session_id, type, player_id, metadata, created_at, updated_at, last_call, clock_steps, not_over_before)
    SELECT gen_random_uuid(), (${`{${GAME_TYPES.filter((type) => type !== "auth")}}`}::text[])[1 + n % 3],
           CASE WHEN n % 2 = 0 THEN ${BUSY} ELSE gen_random_uuid() END, jsonb_build_object('filling', repeat('x', 200)), at, at, at,
           p.clock_steps, at + interval '1 day'
    FROM generate_series(1, ${sessions}) n, present_state() p, (SELECT clock_timestamp() AS at) now`;
  for (let made = 0; made < matches; made += 500) {
    await db.sql`
      SELECT count((create_combat(caller_waits(60000, gen_random_uuid()), gen_random_uuid(), 'pvp', ARRAY[${FIGHTER}::uuid, gen_random_uuid()],
                                  '{}', 3600, NULL, '{"health": 100}', n % 2 = 0, 100, 0, 'test', NULL, NULL)).outcome)
      FROM generate_series(1, ${Math.min(500, matches - made)}) n`;
  }
}

let young: ReturnType<typeof openReader>;
const ofOld = new Map<string, Read>();

beforeAll(async () => {
  const old = openReader();
  await make(10, 1);
  for (const { list } of LISTS) await old.read(list);
  await make(SESSIONS, MATCHES);
  for (const { list } of LISTS) ofOld.set(list, await old.read(list));
  await old.close();
  await db.sql`VACUUM ANALYZE game_sessions, game_combats, game_participants`; // as autovacuum does, and all plan anew
  young = openReader();
});
afterAll(() => young.close());

describe("a page of a list reads no more than the page, whatever there is beside it:", () => {
  it.each(LISTS)("$name, by a plan made for many", async ({ list, rows }) => {
    const read = await young.read(list);
    expect(read.rows).toBe(rows);
    expect(read.pages).toBeLessThan(PAGES_MAX);
  });

  it.each(LISTS)("$name, by a plan made for few", ({ list, rows }) => {
    const read = ofOld.get(list);
    expect(read?.rows).toBe(rows);
    expect(read?.pages).toBeLessThan(PAGES_MAX);
  });
});

describe("a match in the lists", () => {
  it("has the status of its session after every change of it", async () => {
    const id = randomUUID();
    await db.sql`
      SELECT create_combat(${id}, ${NOBODY}, 'pve', ARRAY[${NOBODY}::uuid], '{}', 3600, NULL, '{"health": 100}', false, 100, 0, 'test',
                           NULL, NULL)`;
    const listed = async () =>
      (
        await db.sql`
        SELECT s.status, c.status AS listed FROM game_sessions s JOIN game_combats c ON c.session = s.number
        WHERE s.session_id = ${id}`
      )[0];
    expect(await listed()).toEqual({ status: "active", listed: "active" });
    for (const status of ["paused", "active", "paused", "completed"]) {
      await db.sql`SELECT update_game(${id}, NULL, true, ${status}, NULL, NULL, NULL, NULL)`;
      expect(await listed()).toEqual({ status, listed: status });
    }
  });
});
