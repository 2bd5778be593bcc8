/** The cleanup's part: what is due is found by an index, ended once, and forgotten a month after its end. */
import { beforeEach, describe, expect, it } from "vitest";
import { cleanUpGames } from "../../../src/sessions/game/cleanup.ts";
import { settleGameRows } from "../../../src/sessions/game/upkeep-sql.ts";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { age as ageOf, gameApi, makeMatch, newPlayer } from "./support/game.ts";

const db = useDatabase();
const app = useApp(db);
const api = gameApi(app);
const age = (id: string, seconds: number) => ageOf(db, id, seconds);
const player = newPlayer();

const DAY = 86_400;

beforeEach(async () => {
  await db.sql`DELETE FROM game_sessions`;
});

const settle = async () => ({ ...(await settleGameRows(db.database, "background", 500)) });
const tidy = (untilMs = Number.POSITIVE_INFINITY) => cleanUpGames(db.database, { retentionDays: 30, untilMs });
const due = (ids: string[]) => db.sql`
  UPDATE game_sessions SET not_over_before = clock_timestamp() - interval '1 second' WHERE session_id IN ${db.sql(ids)}`;

/** So many that have been silent for too long. */
async function silent(count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < count; n++) {
    const id = await api.make(player);
    await age(id, DAY + 100);
    ids.push(id);
  }
  return ids;
}
const endingsOf = async (ids: string[]) =>
  db.sql`
    SELECT s.status, s.version, s.ended_at,
      (SELECT count(*)::int FROM game_log_entries e WHERE e.session = s.number AND e.event = 'terminated') AS told
    FROM game_sessions s WHERE s.session_id IN ${db.sql(ids)} ORDER BY s.number`;

describe("settling game sessions", () => {
  it("looks once at what may be over, ends what is, and keeps what was called for since", async () => {
    const [live, lost, untouched] = [await api.make(player), await api.make(player), await api.make(player)];
    await due([live, lost]);
    await db.sql`UPDATE game_sessions SET last_call = last_call - interval '25 hours' WHERE session_id = ${lost}`;
    expect(await settle()).toEqual({ looked_at: 2, ended: 1 });
    expect(await settle()).toEqual({ looked_at: 0, ended: 0 });
    const [row] = await db.sql`
      SELECT not_over_before = last_call + game_silence() AS at_its_end FROM game_sessions WHERE session_id = ${live}`;
    expect(row?.at_its_end).toBe(true);
    expect((await api.read(lost, player)).body.ended_reason).toBe("silence");
    for (const id of [live, untouched]) expect((await api.read(id, player)).body.status).toBe("active");
  });

  it("dates anew what was dated before a jump of the clock, and ends nobody by it", async () => {
    const id = await api.make(player);
    await db.sql`UPDATE service_state SET clock_steps = clock_steps + 1, clock_stepped_at = clock_timestamp()`;
    expect((await api.list(player, "status=active")).body.total_count).toBe(1);
    expect(await settle()).toEqual({ looked_at: 0, ended: 0 });
    expect((await api.read(id, player)).body.status).toBe("active");
  });

  it("asks an index for what is due, however many live", async () => {
    await db.sql`
      INSERT INTO game_sessions (session_id, type, player_id, created_at, updated_at, last_call, clock_steps, not_over_before)
      SELECT gen_random_uuid(), 'player', ${player}, now(), now(), now(), s.clock_steps, now() + interval '1 hour'
      FROM generate_series(1, 5000), present_state() s`;
    const read = await db.sql.begin(async (sql) => {
      await sql`SELECT settle_games(500)`;
      const rows = () => sql`
        SELECT coalesce(sum(seq_tup_read + idx_tup_fetch), 0)::int AS rows FROM pg_stat_xact_user_tables WHERE relname = 'game_sessions'`;
      const [before] = await rows();
      await sql`SELECT settle_games(500)`;
      const [after] = await rows();
      return after?.rows - before?.rows;
    });
    expect(read).toBe(0);
  });
});

describe("the cleanup", () => {
  it("run twice, or three times at once, ends each session once", async () => {
    const ids = await silent(20);
    await api.read(ids[0] as string, player);
    const found = (await endingsOf(ids))[0];
    const done = await Promise.all([tidy(), tidy(), tidy()]);
    expect(done.reduce((sum, { ended }) => sum + ended, 0)).toBe(19);
    const after = await endingsOf(ids);
    expect(after[0]).toEqual(found);
    expect(after.map(({ status, version, told }) => [status, version, told])).toEqual(
      ids.map(() => ["terminated", 2, 1]),
    );
    expect(await tidy()).toEqual({ ended: 0, forgotten: 0 });
    expect(await endingsOf(ids)).toEqual(after);
  });

  it("killed in the midst has done all of a step or nothing of it, and the next one does the rest", async () => {
    const ids = await silent(30);
    const letGo = await db.hold("SELECT settle_games(20)");
    const [killed] = await db.sql`
      SELECT count(pg_terminate_backend(pid))::int AS n FROM pg_stat_activity
      WHERE datname = current_database() AND state = 'idle in transaction' AND query LIKE '%settle_games(20)%'`;
    expect(killed?.n).toBe(1);
    await letGo().catch(() => {});
    expect((await endingsOf(ids)).filter(({ status }) => status !== "active")).toEqual([]);
    await db.sql`SELECT settle_games(12)`;
    expect((await endingsOf(ids)).filter(({ status }) => status === "terminated")).toHaveLength(12);
    expect(await tidy()).toMatchObject({ ended: 18 });
    expect((await endingsOf(ids)).every(({ status, told }) => status === "terminated" && told === 1)).toBe(true);
  });

  it("leaves a session alone that somebody holds", async () => {
    const [id] = (await silent(1)) as [string];
    const letGo = await db.hold(`SELECT FROM game_sessions WHERE session_id = '${id}' FOR UPDATE`);
    expect(await tidy()).toEqual({ ended: 0, forgotten: 0 });
    await letGo();
    expect((await api.read(id, player)).body.ended_reason).toBe("silence");
  });

  it("forgets a month after the end, all that belongs to it, and never what has not ended", async () => {
    const ended = async (days: number, make = () => api.make(player)) => {
      const id = await make();
      await api.update(id, player, { status: "completed" });
      await age(id, days * DAY);
      return id;
    };
    const match = () => makeMatch(api, player, [newPlayer()]);
    const [recent, old, oldMatch] = [await ended(29.9), await ended(30.1), await ended(30.1, match)];
    const [long, left] = [await api.make(player), await api.make(player)];
    for (const id of [long, left]) await age(id, 60 * DAY);
    await db.sql`UPDATE game_sessions SET last_call = clock_timestamp() WHERE session_id = ${long}`;
    // Its end is a day after its last call, so it is long ago as well.
    expect(await tidy()).toEqual({ ended: 1, forgotten: 3 });
    const rows = await db.sql`SELECT session_id FROM game_sessions ORDER BY number`;
    expect(rows.map(({ session_id }) => session_id)).toEqual([recent, long]);
    for (const id of [old, oldMatch]) expect((await api.read(id, player)).status).toBe(404);
    const [rest] = await db.sql`
      SELECT (SELECT count(*)::int FROM game_log_entries e WHERE NOT EXISTS (SELECT FROM game_sessions s WHERE s.number = e.session)) AS entries,
             (SELECT count(*)::int FROM game_combats) AS combats, (SELECT count(*)::int FROM game_participants) AS participants,
             (SELECT count(*)::int FROM game_events) AS events`;
    expect(rest).toEqual({ entries: 0, combats: 0, participants: 0, events: 0 });
  });

  it("forgets in pieces: of large sessions one at a time, and stops when its time is over", async () => {
    const ids = await silent(4);
    for (const id of ids) await api.read(id, player);
    await db.sql`UPDATE game_sessions SET ended_at = ended_at - interval '31 days', last_entry = 19999`;
    const forget = async () => (await db.sql`SELECT forget_games(30) AS n`)[0]?.n;
    expect(await forget()).toBe(2);
    expect(await tidy(performance.now() - 1)).toEqual({ ended: 0, forgotten: 2 });
    expect(await forget()).toBe(0);
  });

  it("forgets an Idempotency-Key after a day, and none before", async () => {
    const make = (key: string) => api.create(player, {}, { "Idempotency-Key": key });
    await make("old");
    await make("new");
    await db.sql`UPDATE game_idempotency_keys SET created_at = created_at - interval '24 hours' WHERE key = 'old'`;
    await tidy();
    const keys = await db.sql`SELECT key FROM game_idempotency_keys WHERE caller = ${player}`;
    expect(keys.map(({ key }) => key)).toEqual(["new"]);
  });
});
