import type { Database } from "../../database/database.ts";
import type { GameCaller } from "./caller.ts";
import type { GameSession, UpdateRequest } from "./contract.ts";
import { unlessRefused } from "./refusal.ts";
import { describeSession } from "./session.ts";
import { updateGameRow } from "./sql.ts";

/**
 * Replaces each field that is given, as one change. `matching`: the versions of which it must have one, as an If-Match says.
 * Throws an AppError: session_not_found, forbidden for anybody but who made it, session_over, precondition_failed,
 * version_conflict, or unavailable.
 */
export async function updateSession(
  database: Database,
  sessionId: string,
  { status, metadata, settings, version }: UpdateRequest,
  by: GameCaller,
  matching: number[] | undefined,
): Promise<GameSession> {
  const change = { status, metadata, settings, version, matching };
  return describeSession(unlessRefused(await updateGameRow(database, sessionId, by, change)));
}
