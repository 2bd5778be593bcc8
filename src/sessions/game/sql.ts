/** What makes and changes a session, by functions of migrations/functions/game-create.sql and game-change.sql, which say what each guarantees. */
import type { Operator } from "../../audit/operator.ts";
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

/** Why a change of a session has changed nothing. */
export type Refusal = "session_not_found" | "forbidden" | "session_over" | "precondition_failed" | "version_conflict";

/** What became of a change, and the session after it; of one that there is not, nulls. */
export type GameOutcome<Done extends string> = { outcome: Done | Refusal } & GameRow;

/** Which version a change is of. */
export interface Expected {
  version: number | undefined;
  /** One of these it must have; undefined: whichever it has. */
  matching: number[] | undefined;
}

export interface GameChange extends Expected {
  status: GameStatus | undefined;
  metadata: Record<string, unknown> | undefined;
  settings: Record<string, unknown> | undefined;
}

export function updateGameRow(
  database: Database,
  sessionId: string,
  by: Reader,
  change: GameChange,
): Promise<GameOutcome<"updated">> {
  return changeRow(
    database,
    sessionId,
    (sql, id) => sql`
      update_game(${id}, ${by.playerId ?? null}::uuid, ${by.isService}, ${change.status ?? null}, ${json(sql, change.metadata)},
                  ${json(sql, change.settings)}, ${change.version ?? null}::int, ${list(sql, change.matching)})`,
  );
}

export function terminateGameRow(
  database: Database,
  sessionId: string,
  by: Reader,
  { reason, matching }: { reason: string | undefined; matching: number[] | undefined },
): Promise<GameOutcome<"terminated" | "unchanged">> {
  return changeRow(
    database,
    sessionId,
    (sql, id) => sql`
      terminate_game(${id}, ${by.playerId ?? null}::uuid, ${by.isService}, ${reason ?? null}, ${list(sql, matching)})`,
  );
}

/** Those who change one session come one after the other, so that they do not take every connection to wait for its lock. */
async function changeRow<Done extends string>(
  database: Database,
  sessionId: string,
  call: (sql: Sql, id: ReturnType<Sql>) => ReturnType<Sql>,
): Promise<GameOutcome<Done>> {
  const [row] = await database.requests.query(
    (sql, waits) =>
      sql`SELECT v.outcome, (v.game).* FROM ${call(sql, sql`caller_waits(${waits}, ${sessionId}::uuid)`)} v`,
    `game ${sessionId}`,
  );
  return row as GameOutcome<Done>;
}

/** Ends it by an operator; the audit log says who. */
export async function forceEndRow(
  database: Database,
  sessionId: string,
  reason: string | null,
  by: Operator,
): Promise<GameOutcome<"terminated" | "unchanged">> {
  const [row] = await database.operators.query(
    (sql, waits) => sql`
      SELECT v.outcome, (v.game).*, CASE WHEN v.outcome = 'terminated' THEN
        record_audit(${by.who}, ${by.from}, 'game_ended', NULL, jsonb_strip_nulls(
          jsonb_build_object('game_session_id', ${sessionId}::text, 'reason', ${reason}::text))) END AS entry
      FROM force_game_end(caller_waits(${waits}, ${sessionId}::uuid), ${reason}) v`,
  );
  return row as GameOutcome<"terminated" | "unchanged">;
}

/** Takes away all that is known of a player; the entry does not say of whom. Returns whether there was anything. */
export async function erasePlayerRow(database: Database, playerId: string, by: Operator): Promise<boolean> {
  const [row] = await database.operators.query(
    (sql, waits) => sql`
      SELECT done.known, CASE WHEN done.known THEN record_audit(${by.who}, ${by.from}, 'player_erased', NULL, NULL) END AS entry
      FROM erase_player(caller_waits(${waits}, ${playerId}::uuid)) done`,
  );
  return row?.known;
}

/** The database's clock. */
export async function selectClock(database: Database): Promise<Date> {
  const [row] = await database.requests.query((sql) => sql`SELECT clock_timestamp() AS at`);
  return row?.at;
}

/** As jsonb; nothing at all is null. */
const json = (sql: Sql, value: object | undefined) => (value === undefined ? null : sql.json(value as never));

const list = (sql: Sql, versions: number[] | undefined) =>
  sql`string_to_array(${versions?.join() ?? null}, ',')::int[]`;
