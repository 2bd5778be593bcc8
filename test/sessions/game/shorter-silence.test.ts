/** GAME_SILENCE_SECONDS is made shorter: with the cleanup off everybody who looks agrees with who reads one session. */
import { beforeEach, describe, expect, it } from "vitest";
import { readAnalytics } from "../../../src/analytics/read.ts";
import { createLog } from "../../../src/log.ts";
import { createCounts } from "../../../src/metrics/counts.ts";
import { cleanUpGames } from "../../../src/sessions/game/cleanup.ts";
import { game } from "../../../src/sessions/game/kind.ts";
import { configureGames, redateGameRows, selectGameNumbers } from "../../../src/sessions/game/upkeep-sql.ts";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { age, gameApi, makeMatch, newPlayer } from "./support/game.ts";

const db = useDatabase();
const app = useApp(db);
const api = gameApi(app);
const player = newPlayer();

const DAY = 86_400;
const HOUR = 3_600;

beforeEach(async () => {
  await db.sql`DELETE FROM game_sessions`;
  await configureGames(db.database, DAY);
  await db.sql`UPDATE game_settings SET redated_to = NULL, lowered_at = NULL`;
});

/** A process starts with that setting. */
const startWith = (silenceSeconds: number) => {
  const settings = { silenceSeconds, retentionDays: 30 };
  const given = { settings, database: db.database, counts: createCounts(), log: createLog("silent") };
  return game.open(given).settle();
};
const tidy = () => cleanUpGames(db.database, { retentionDays: 30, untilMs: Number.POSITIVE_INFINITY });
const settings = async () => (await db.sql`SELECT redated_to::int AS "redatedTo" FROM game_settings`)[0];
/** Somebody dates it by the silence of before. */
const dateByDay = (id: string) => db.sql`
  UPDATE game_sessions SET not_over_before = last_call + interval '1 day' WHERE session_id = ${id}`;

describe("a silence that was made shorter", () => {
  it("holds at once for what lives, for numbers, counts and lists as for who reads one session", async () => {
    const [quiet, quietMatch, recent] = [await api.make(player), await makeMatch(api, player), await api.make(player)];
    await api.update(quietMatch, player, { status: "paused" });
    for (const id of [quiet, quietMatch]) await age(db, id, 1.5 * HOUR);
    await age(db, recent, HOUR / 2);
    await startWith(HOUR);

    // These settle nothing.
    const { live, ended } = await selectGameNumbers(db.database);
    expect([live.reduce((sum, { count }) => sum + count, 0), ended]).toEqual([1, { silence: 2 }]);
    const query = { timeframe: "24h", session_type: "all", metric: "count" } as const;
    const numbers = await readAnalytics(db.database, query, { playerId: undefined, isService: true });
    expect(numbers).toMatchObject({ active_sessions: 1 });
    const [counted] = await db.sql`
      SELECT count_games(NULL, ARRAY['player', 'combat'], ARRAY['active', 'paused'], NULL, 100) AS live,
             count_games(${player}, ARRAY['player', 'combat'], ARRAY['terminated'], NULL, 100) AS ended`;
    expect(counted).toMatchObject({ live: 1 });
    const [row] = await db.sql`SELECT count(*)::int AS unended FROM game_sessions WHERE ended_at IS NULL`;
    expect(row?.unended).toBe(3);

    const listed = (await api.list("service", "status=active")).body;
    expect([listed.total_count, listed.sessions.map((one: { session_id: string }) => one.session_id)]).toEqual([
      1,
      [recent],
    ]);
    expect((await api.send("GET", "/combat/sessions?status=paused", "service")).body.total_count).toBe(0);
    const statuses = [quiet, quietMatch, recent].map(async (id) => (await api.read(id, player)).body.status);
    expect(await Promise.all(statuses)).toEqual(["terminated", "terminated", "active"]);
  });

  it("is heeded by the cleanup, at the second, and leaves what was called for in time", async () => {
    const [over, close] = [await api.make(player), await api.make(player)];
    await age(db, over, HOUR + 1);
    await age(db, close, HOUR - 60);
    await startWith(HOUR);
    expect(await tidy()).toEqual({ ended: 1, forgotten: 0 });
    await age(db, close, 61);
    expect(await tidy()).toEqual({ ended: 1, forgotten: 0 });
  });

  it("is heeded by what was being made while it was: after a while all are gone through once more", async () => {
    const id = await api.make(player);
    await startWith(HOUR);
    expect(await settings()).toEqual({ redatedTo: 0 });
    await age(db, id, 2 * HOUR);
    await dateByDay(id);
    expect(await tidy()).toEqual({ ended: 1, forgotten: 0 });
    await db.sql`UPDATE game_settings SET lowered_at = lowered_at - interval '11 seconds'`;
    await tidy();
    expect(await settings()).toEqual({ redatedTo: null });
  });

  it("is dated piece by piece, and from the beginning when it is made shorter again meanwhile", async () => {
    const ids = [await api.make(player), await api.make(player), await api.make(player)];
    for (const id of ids) await age(db, id, 2 * HOUR);
    await configureGames(db.database, HOUR);
    const [first] = await db.sql`SELECT min(number)::int AS number FROM game_sessions`;
    await db.sql`UPDATE game_settings SET redated_to = ${first?.number - 1}`;
    const due = async () => (await db.sql`SELECT FROM game_sessions WHERE not_over_before <= clock_timestamp()`).length;
    expect([await redateGameRows(db.database, 1), await due()]).toEqual([true, 1]);
    expect([await redateGameRows(db.database, 1), await due()]).toEqual([true, 2]);
    await configureGames(db.database, HOUR / 2);
    expect(await settings()).toEqual({ redatedTo: 0 });
    await startWith(HOUR / 2);
    expect(await due()).toBe(3);
  });

  it("that is made longer again ends nobody too early", async () => {
    const id = await api.make(player);
    await age(db, id, 2 * HOUR);
    await startWith(HOUR);
    await startWith(DAY);
    expect(await tidy()).toEqual({ ended: 0, forgotten: 0 });
    expect((await api.list(player, "status=active")).body.total_count).toBe(1);
  });
});
