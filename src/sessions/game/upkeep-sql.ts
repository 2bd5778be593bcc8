/** What the start, the cleanup and the metrics ask of all sessions. */
import type { Database } from "../../database/database.ts";
import type { SettleRow } from "../contract.ts";
import type { GameStatus, GameType } from "./contract.ts";

/** Ends at most so many sessions whose time is over. */
export async function settleGameRows(
  database: Database,
  lane: "requests" | "background",
  atMost: number,
): Promise<SettleRow> {
  const [row] = await database[lane].query(
    (sql, waits) => sql`SELECT * FROM settle_games(caller_waits(${waits}, ${atMost}::int))`,
  );
  return row as unknown as SettleRow;
}

/** Forgets sessions that ended longer ago than the retention; several calls may be needed. Returns how many. */
export async function forgetGames(database: Database, retentionDays: number): Promise<number> {
  const [row] = await database.background.query((sql) => sql`SELECT forget_games(${retentionDays}) AS forgotten`);
  return row?.forgotten;
}

/** After the silence was made shorter: dates the next so many anew. Returns whether there may be more. */
export async function redateGameRows(database: Database, atMost: number): Promise<boolean> {
  const [row] = await database.background.query((sql) => sql`SELECT redate_games(${atMost}) AS more`);
  return row?.more;
}

export async function configureGames(database: Database, silenceSeconds: number): Promise<void> {
  await database.background.query((sql) => sql`SELECT configure_games(${silenceSeconds})`);
}

export interface GameNumbers {
  /** Not over, by type and status; where there is none, it is not named. */
  live: Array<{ type: GameType; status: GameStatus; count: number }>;
  /** Within the last hour, by why. */
  ended: Record<string, number>;
}

/** For the metrics, whether or not somebody has tidied; takes no lock. Only of a session that may be over the rules are asked. */
export async function selectGameNumbers(database: Database): Promise<GameNumbers> {
  const [row] = await database.background.query(
    (sql) => sql<GameNumbers[]>`
      WITH present AS MATERIALIZED (
        SELECT c.at, c.at - interval '1 hour' AS hour_ago, c.clock_steps
        FROM (SELECT clock_timestamp() AS at, s.clock_steps FROM present_state() s) c
      ), overdue AS MATERIALIZED (
        SELECT s.type, s.status, o.reason, o.since
        FROM present p, doubtful_games(p.at, p.clock_steps) s, game_overdue(s, p.at) o WHERE o.reason IS NOT NULL
      ), live AS (
        SELECT l.type, l.status, sum(l.n)::int AS count FROM (
          SELECT s.type, s.status, count(*) AS n FROM game_sessions s WHERE s.status IN ('active', 'paused') GROUP BY s.type, s.status
          UNION ALL
          SELECT o.type, o.status, -count(*) FROM overdue o GROUP BY o.type, o.status) l
        GROUP BY l.type, l.status
      ), endings AS (
        SELECT s.ended_reason AS reason FROM game_sessions s WHERE s.ended_at > (SELECT p.hour_ago FROM present p)
        UNION ALL
        SELECT o.reason FROM overdue o WHERE o.since > (SELECT p.hour_ago FROM present p)
      )
      SELECT (SELECT coalesce(json_agg(l), '[]') FROM live l) AS live,
             (SELECT coalesce(json_object_agg(e.reason, e.n), '{}')
              FROM (SELECT reason, count(*) AS n FROM endings GROUP BY reason) e) AS ended`,
  );
  return row as GameNumbers;
}
