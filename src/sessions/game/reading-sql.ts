/** How sessions are read, by functions of migrations/functions/game.sql and game-reading.sql. */
import type { Database } from "../../database/database.ts";
import type { Sql } from "../../database/lane.ts";
import { type GameStatus, type GameType, gameStatus, gameType } from "./contract.ts";
import type { GameRow, Reader } from "./sql.ts";

const NEWEST = Number.MAX_SAFE_INTEGER;

/** By whom: a call for the session; an operator's look is none. */
export type Looking = Reader | "operator";

/** Undefined: there is none that this reader sees. */
export async function selectGame(database: Database, sessionId: string, by: Looking): Promise<GameRow | undefined> {
  const [row] = await database.requests.query(
    (sql, waits) => sql`SELECT g.* FROM ${seenBy(sql, waits, sessionId, by)} g WHERE g.number IS NOT NULL`,
  );
  return row as GameRow | undefined;
}

export interface EntryRow {
  id: number;
  at: string;
  event: string;
  message: string | null;
  data: Record<string, unknown> | null;
}

export interface DetailsRow extends GameRow {
  /** Null: not asked for. */
  logs: EntryRow[] | null;
  duration_ms: number | null;
  events: number | null;
  errors: number | null;
  per_minute: number | null;
}

/** A session with so many of the newest entries of its log (0: none), and what has happened in it. */
export async function selectGameDetails(
  database: Database,
  sessionId: string,
  by: Looking,
  { entries, stats }: { entries: number; stats: boolean },
): Promise<DetailsRow | undefined> {
  const [row] = await database.requests.query(
    (sql, waits) => sql`
      SELECT g.*, d.* FROM ${seenBy(sql, waits, sessionId, by)} g, detail_game(g, ${entries}, ${stats}) d
      WHERE g.number IS NOT NULL`,
  );
  return row as DetailsRow | undefined;
}

/** A page of its log: the newest before that one, in their order. Undefined: there is no session that this reader sees. */
export async function selectEntries(
  database: Database,
  sessionId: string,
  by: Looking,
  { before = NEWEST, limit }: { before: number | undefined; limit: number },
): Promise<EntryRow[] | undefined> {
  const [row] = await database.requests.query(
    (sql, waits) => sql`
      SELECT game_entries(g, ${before}, ${limit}) AS logs FROM ${seenBy(sql, waits, sessionId, by)} g WHERE g.number IS NOT NULL`,
  );
  return row?.logs;
}

const seenBy = (sql: Sql, waits: number, sessionId: string, by: Looking) =>
  by === "operator"
    ? sql`look_at_game(caller_waits(${waits}, ${sessionId}::uuid))`
    : sql`read_game(caller_waits(${waits}, ${sessionId}::uuid), ${by.playerId ?? null}::uuid, ${by.isService})`;

export interface GamePage {
  /** Whose: made by that player, or with it as a participant; undefined: all. */
  whose: string | undefined;
  type: GameType | undefined;
  status: GameStatus | undefined;
  /** Who made them. */
  playerId: string | undefined;
  before: number | undefined;
  limit: number;
  countedMax: number;
}

/** Newest first, `before` excluded, and how many there are in all, counted so far. */
export async function selectGames(database: Database, page: GamePage): Promise<{ total: number; rows: GameRow[] }> {
  const { type, status, before = NEWEST } = page;
  const rows = await database.requests.query(
    (sql) => sql`
      SELECT v.total, (v.game).* FROM list_games(
        ${page.whose ?? null}::uuid, ${words(sql, type ? [type] : gameType.options)}, ${words(sql, status ? [status] : gameStatus.options)},
        ${page.playerId ?? null}::uuid, ${before}, ${page.limit}, ${page.countedMax}) v`,
  );
  return { total: rows[0]?.total, rows: rows.filter(({ number }) => number !== null) as unknown as GameRow[] };
}

export const words = (sql: Sql, of: readonly string[]) => sql`string_to_array(${of.join()}, ',')`;

/** Those with ids from one to another, newest first. */
export async function selectMeantGames(
  database: Database,
  { from, to, limit }: { from: string; to: string; limit: number },
): Promise<GameRow[]> {
  return database.requests.query(
    (sql) => sql<GameRow[]>`
      SELECT g.* FROM (
        SELECT s FROM game_sessions s WHERE s.session_id BETWEEN ${from}::uuid AND ${to}::uuid
        ORDER BY s.number DESC LIMIT ${limit}) page, present_game(page.s, clock_timestamp()) g ORDER BY g.number DESC`,
  );
}
