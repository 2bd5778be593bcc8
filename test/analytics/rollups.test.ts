/** The rows that the numbers are kept in: nobody waits for one, and folding them changes no number. */
import { beforeEach, describe, expect, it } from "vitest";
import { foldNumbers } from "../../src/analytics/fold.ts";
import { gameApi, newPlayer, outcome } from "../sessions/game/support/game.ts";
import { useApp } from "../support/app.ts";
import { useDatabase } from "../support/database.ts";
import { FRAMES, type Frame, TYPES } from "./support/plain.ts";
import { askAll, findLies } from "./support/told.ts";

const db = useDatabase();
const api = gameApi(useApp(db));
const PLAYER = newPlayer();
const EVERYTHING = askAll(Object.keys(FRAMES) as Frame[], [undefined, ...TYPES], [undefined]);

beforeEach(async () => {
  await db.sql`TRUNCATE game_sessions CASCADE`;
  await db.sql`UPDATE service_state SET confirmed_at = NULL`;
});

/** So many, one each so many seconds back from now; two of three have ended, after seconds to hours. */
const seed = (count: number, secondsApart: number) => db.sql`
  INSERT INTO game_sessions (session_id, type, player_id, status, created_at, updated_at, ended_at, ended_reason, last_call,
                             clock_steps, not_over_before)
  SELECT gen_random_uuid(), ('{combat,player,auth,custom}'::text[])[1 + n % 4], ${PLAYER}, s.status, c.at, c.at,
         CASE WHEN s.status <> 'active' THEN c.at + make_interval(secs => (n * 7919) % 20000) END,
         CASE WHEN s.status <> 'active' THEN 'requested' END, now(), 0,
         CASE WHEN s.status = 'active' THEN now() + interval '1 day' END
  FROM generate_series(0, ${count}::int - 1) n,
    LATERAL (SELECT now() - n * make_interval(secs => ${secondsApart}) AS at) c,
    LATERAL (SELECT ('{active,completed,terminated}'::text[])[1 + n % 3] AS status) s`;

const countRows = async () => Number((await db.sql`SELECT count(*)::int AS n FROM game_rollups`)[0]?.n);
const fold = () => foldNumbers(db.database, Number.POSITIVE_INFINITY);

async function findLiesNow(): Promise<string[]> {
  const [row] = await db.sql`SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::float8 AS now`;
  return findLies(db, row?.now, EVERYTHING);
}

describe("the rollups", () => {
  it("let creates, endings and erasures at once wait for nobody, and nobody waits for them", async () => {
    const ids = await Promise.all(Array.from({ length: 3 }, () => api.make(PLAYER)));
    const hold = (does: string) => db.hold(does);
    const creates = `create_game(gen_random_uuid(), '${PLAYER}', 'player', NULL, NULL, '${PLAYER}', NULL, NULL)`;
    const release = await Promise.all([
      hold(`SELECT ${creates}; SELECT ${creates}`),
      hold(`SELECT end_game(enter_game('${ids[0]}'), 'completed', 'requested', clock_timestamp())`),
      hold(`DELETE FROM game_sessions WHERE session_id = '${ids[1]}'`),
      hold("SELECT fold_game_rollups(1000)"),
    ]);
    const replies = await Promise.all(Array.from({ length: 50 }, () => api.create(PLAYER)));
    expect(replies.map(outcome)).toEqual(replies.map(() => "201"));
    await db.sql`SELECT end_game(enter_game(${ids[2] as string}), 'completed', 'requested', clock_timestamp())`;
    expect(outcome(await api.send("GET", "/analytics/sessions", "service"))).toBe("200");
    // Another fold leaves everything to the one that is under way.
    await fold();
    expect(await findLiesNow()).toEqual([]);
    await Promise.all(release.map((letGo) => letGo()));
    await fold();
    expect(await findLiesNow()).toEqual([]);
  });

  it("become few by folding, and tell the same for every timeframe and type", async () => {
    await seed(6_000, 600);
    expect(await countRows()).toBe(6_000);
    expect(await findLiesNow()).toEqual([]);
    await fold();
    const [row] = await db.sql`SELECT count(DISTINCT step)::int AS steps FROM game_rollups`;
    // Of the timeframes' own steps there are 105; each is kept finer for a little longer.
    expect(row?.steps).toBeLessThan(150);
    expect(await findLiesNow()).toEqual([]);
    const rows = await countRows();
    expect(rows).toBeLessThan(3_500);
    await fold();
    expect(await countRows()).toBeLessThanOrEqual(rows);
    expect(await findLiesNow()).toEqual([]);
  });

  it("leave nothing of what has come and gone, at whatever time of the day they are folded", async () => {
    for (let minutes = 0; minutes < 1440; minutes += 100) {
      await db.sql`UPDATE service_state SET confirmed_at = clock_timestamp() - make_interval(mins => ${minutes})`;
      await seed(500, 3_600);
      await fold();
      await db.sql`DELETE FROM game_sessions`;
      expect(await findLiesNow()).toEqual([]);
      await fold();
      expect(await countRows()).toBe(0);
    }
  });

  it("stay as fine as they are asked for where the clock has leapt ahead of what was served", async () => {
    await seed(300, 600);
    await db.sql`UPDATE service_state SET confirmed_at = clock_timestamp() - interval '3 days'`;
    await fold();
    const [row] = await db.sql`SELECT count(DISTINCT step)::int AS steps FROM game_rollups`;
    expect(row?.steps).toBe(300);
  });

  it("count what many at once have become, when nobody has settled it", async () => {
    await seed(3_000, 60);
    await db.sql`
      UPDATE game_sessions
      SET last_call = clock_timestamp() - interval '1 day' - n * interval '1 second', not_over_before = clock_timestamp()
      FROM generate_series(1, 3000) n WHERE number % 3000 = n % 3000 AND ended_at IS NULL`;
    expect(await findLiesNow()).toEqual([]);
    const [row] = await db.sql`SELECT count(*)::int AS n FROM overdue_game_counts(clock_timestamp())`;
    expect(row?.n).toBe(1_000);
  });
});
