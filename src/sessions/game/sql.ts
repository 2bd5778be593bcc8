/** What makes, changes and reads a session, a function of migrations/functions/game.sql each, which says what it guarantees. */
import type { Database } from "../../database/database.ts";
import type { Sql } from "../../database/lane.ts";
import type { Idempotency } from "../contract.ts";
import type { GameSession, GameStatus, GameType } from "./contract.ts";

/** A session as it is stored. */
export interface GameRow {
  number: number;
  session_id: string;
  type: GameType;
  player_id: string;
  status: GameStatus;
  version: number;
  metadata: Record<string, unknown> | null;
  settings: Record<string, unknown> | null;
  created_at: Date;
  updated_at: Date;
  ended_at: Date | null;
  ended_reason: GameSession["ended_reason"] | null;
  paused_at: Date | null;
  paused_ms: number;
  /** Null: it is no match. */
  max_duration_seconds: number | null;
  last_entry: number;
}

/** Who reads or changes something. */
export interface Reader {
  playerId: string | undefined;
  isService: boolean;
}

export interface NewGame {
  sessionId: string;
  playerId: string;
  type: GameType;
  metadata: Record<string, unknown> | undefined;
  settings: Record<string, unknown> | undefined;
  /** By whom it is made: keys are each caller's own. */
  caller: string;
  idempotency: Idempotency | undefined;
}

/** A new session; or that which the same request has made before. */
export async function insertGame(
  database: Database,
  game: NewGame,
): Promise<GameRow & { outcome: "created" | "repeated" | "idempotency_conflict" }> {
  const { sessionId, idempotency } = game;
  const [row] = await database.requests.query(
    (sql, waits) => sql`
      SELECT v.outcome, (v.game).* FROM create_game(
        caller_waits(${waits}, ${sessionId}::uuid), ${game.playerId}::uuid, ${game.type}, ${json(sql, game.metadata)},
        ${json(sql, game.settings)}, ${game.caller}, ${idempotency?.key ?? null}, ${idempotency?.hash ?? null}) v`,
  );
  return row as GameRow & { outcome: "created" | "repeated" | "idempotency_conflict" };
}

/** Undefined: there is none that this reader sees. */
export async function selectGame(
  database: Database,
  sessionId: string,
  { playerId, isService }: Reader,
): Promise<GameRow | undefined> {
  const [row] = await database.requests.query(
    (sql, waits) => sql`
      SELECT g.* FROM read_game(caller_waits(${waits}, ${sessionId}::uuid), ${playerId ?? null}::uuid, ${isService}) g
      WHERE g.number IS NOT NULL`,
  );
  return row as GameRow | undefined;
}

/** The database's clock. */
export async function selectClock(database: Database): Promise<Date> {
  const [row] = await database.requests.query((sql) => sql`SELECT clock_timestamp() AS at`);
  return row?.at;
}

/** As jsonb; nothing at all is null. */
const json = (sql: Sql, value: object | undefined) => (value === undefined ? null : sql.json(value as never));
