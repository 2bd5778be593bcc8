/** What a page of a list reads, beside more sessions and matches than it has, of every filter: no more than the page takes. */
import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
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

/** Nearly all of them live, and of one mode; one player has made half of the sessions, another is in every match. */
beforeAll(async () => {
  await db.sql`
    INSERT INTO game_sessions (session_id, type, player_id, metadata, created_at, updated_at, last_call, clock_steps, not_over_before)
    SELECT gen_random_uuid(), (${`{${GAME_TYPES.filter((type) => type !== "auth")}}`}::text[])[1 + n % 3],
           CASE WHEN n % 2 = 0 THEN ${BUSY} ELSE gen_random_uuid() END, jsonb_build_object('filling', repeat('x', 200)), at, at, at,
           p.clock_steps, at + interval '1 day'
    FROM generate_series(1, ${SESSIONS}) n, present_state() p, (SELECT clock_timestamp() AS at) now`;
  for (let made = 0; made < MATCHES; made += 500) {
    await db.sql`
      SELECT count((create_combat(caller_waits(60000, gen_random_uuid()), gen_random_uuid(), 'pvp', ARRAY[${FIGHTER}::uuid, gen_random_uuid()],
                                  '{}', 3600, NULL, '{"health": 100}', n % 2 = 0, 100, 0, 'test', NULL, NULL)).outcome)
      FROM generate_series(1, 500) n`;
  }
  await db.sql`VACUUM ANALYZE game_sessions, game_combats, game_participants`; // as autovacuum does, sooner or later
});

const wordsOf = (words: readonly string[]) => `'{${words}}'`;
const quoted = (player: string | undefined) => (player ? `'${player}'` : "NULL");

/** Of tables and indexes, by the plan that serves all arguments: after some calls the planner makes no other. */
async function pagesOf(list: string): Promise<{ rows: number; pages: number }> {
  const held = await db.sql.reserve();
  try {
    await held`SET plan_cache_mode = force_generic_plan`;
    const rows = await held.unsafe(`SELECT * FROM ${list}`); // plans it, for which it reads the catalogue
    const [row] = await held.unsafe<Array<{ "QUERY PLAN": Array<{ Plan: Record<string, number> }> }>>(
      `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM ${list}`,
    );
    const plan = row?.["QUERY PLAN"][0]?.Plan;
    return {
      rows: rows.filter(({ number, game }) => number !== null && game !== null).length,
      pages: Number(plan?.["Shared Hit Blocks"]) + Number(plan?.["Shared Read Blocks"]),
    };
  } finally {
    await held`RESET plan_cache_mode`;
    held.release();
  }
}

describe("a page of a list reads no more than the page, whatever there is beside it:", () => {
  const games = [
    ["of all", GAME_TYPES, GAME_STATUSES, undefined, 21],
    ["of a status", GAME_TYPES, ["active"], undefined, 21],
    ["of a status that none has", GAME_TYPES, ["terminated"], undefined, 0],
    ["of a type that none has", ["auth"], GAME_STATUSES, undefined, 0],
    ["of a type and a status", ["combat"], ["active"], undefined, 21],
    ["of a player with many", GAME_TYPES, GAME_STATUSES, BUSY, 21],
    ["of a player without any", GAME_TYPES, GAME_STATUSES, NOBODY, 0],
  ] as const;

  it.each(games)("sessions %s", async (_, types, statuses, player, expected) => {
    const newest = "9223372036854775807";
    for (const [whose, maker] of [
      [player, undefined],
      [undefined, player],
    ] as const) {
      const asked = [quoted(whose), wordsOf(types), wordsOf(statuses), quoted(maker), newest, 21, 0];
      const { rows, pages } = await pagesOf(`list_games(${asked})`);
      expect(rows).toBe(expected);
      expect(pages).toBeLessThan(PAGES_MAX);
    }
  });

  const matches = [
    ["of all", "active", COMBAT_MODES, undefined, 11],
    ["of a status that none has", "paused", COMBAT_MODES, undefined, 0],
    ["in preparation", "initializing", COMBAT_MODES, undefined, 0],
    ["of a mode", "active", ["pvp"], undefined, 11],
    ["of a mode that none has", "active", ["pve"], undefined, 0],
    ["of a player with many", "active", COMBAT_MODES, FIGHTER, 11],
    ["open to a player without any", "active", COMBAT_MODES, NOBODY, 11],
    ["of a player and a mode that none has", "completed", ["arena"], NOBODY, 0],
  ] as const;

  it.each(matches)("matches %s", async (_, status, modes, player, expected) => {
    const asked = [quoted(player), `'${status}'`, wordsOf(modes), "9223372036854775807", 11, 0];
    const { rows, pages } = await pagesOf(`list_matches(${asked})`);
    expect(rows).toBe(expected);
    expect(pages).toBeLessThan(PAGES_MAX);
  });

  it("and its count stops where it says no more", async () => {
    const asked = [quoted(undefined), "'active'", wordsOf(COMBAT_MODES), "9223372036854775807", 11, 101];
    expect((await pagesOf(`list_matches(${asked})`)).pages).toBeLessThan(PAGES_MAX);
    const every = [
      quoted(undefined),
      wordsOf(GAME_TYPES),
      wordsOf(GAME_STATUSES),
      quoted(undefined),
      "9223372036854775807",
      21,
      101,
    ];
    expect((await pagesOf(`list_games(${every})`)).pages).toBeLessThan(PAGES_MAX);
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
