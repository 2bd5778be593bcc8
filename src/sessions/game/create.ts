import { randomUUID } from "node:crypto";
import type { Database } from "../../database/database.ts";
import { idempotencyConflict, identify } from "../idempotency.ts";
import { actFor, type GameCaller } from "./caller.ts";
import type { CreateRequest, GameSession } from "./contract.ts";
import { describeSession } from "./session.ts";
import { type GameRow, insertGame } from "./sql.ts";

/**
 * Makes a session, active. With an `idempotencyKey` (the caller's own, kept for 24 h) the same request gives the same answer,
 * whatever has become of the session since. Throws an AppError: forbidden in another player's name, idempotency_conflict, or
 * unavailable.
 */
export async function createSession(
  database: Database,
  request: CreateRequest,
  by: GameCaller,
  idempotencyKey: string | undefined,
): Promise<GameSession> {
  actFor(by, request.player_id);
  const row = await insertGame(database, {
    sessionId: randomUUID(),
    playerId: request.player_id,
    type: request.type,
    metadata: request.metadata,
    settings: request.settings,
    caller: by.subject,
    idempotency: identify(idempotencyKey, ["session", request]),
  });
  if (row.outcome === "idempotency_conflict") throw idempotencyConflict();
  return describeSession(asCreated(row, request));
}

/** As it was when it was made. */
function asCreated(row: GameRow, { metadata, settings }: CreateRequest): GameRow {
  return {
    ...row,
    status: "active",
    version: 1,
    metadata: metadata ?? null,
    settings: settings ?? null,
    updated_at: row.created_at,
    ended_at: null,
    ended_reason: null,
  };
}
