import type { Database } from "../../../database/database.ts";
import type { GameCaller } from "../caller.ts";
import type { CombatSession, PlayersRequest } from "./contract.ts";
import { playersOf } from "./players.ts";
import { unlessRefused } from "./refusal.ts";
import { describeCombat } from "./session.ts";
import { leaveCombatRow } from "./sql.ts";

/**
 * Lets players out of an open match, all of them or none; they may come back while it is played. Throws an AppError:
 * session_not_found, forbidden (others, by no service), not_open, session_over, not_participant, invalid_request, or
 * unavailable.
 */
export async function leaveCombat(
  database: Database,
  sessionId: string,
  request: PlayersRequest,
  by: GameCaller,
): Promise<CombatSession> {
  const row = await leaveCombatRow(database, { sessionId, players: playersOf(request, by) }, by);
  unlessRefused(row);
  return describeCombat(row.combat);
}
