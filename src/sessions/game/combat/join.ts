import type { Database } from "../../../database/database.ts";
import type { GameCaller } from "../caller.ts";
import type { CombatSession, PlayersRequest } from "./contract.ts";
import { playersOf } from "./players.ts";
import { unlessRefused } from "./refusal.ts";
import { describeCombat } from "./session.ts";
import { joinCombatRow } from "./sql.ts";

/**
 * Lets players into an open match, all of them or none; who comes back has the health, the score and the place of before.
 * Throws an AppError: session_not_found, forbidden (others, by no service), not_open, session_over, not_active (eliminated),
 * full, invalid_request, or unavailable.
 */
export async function joinCombat(
  database: Database,
  sessionId: string,
  request: PlayersRequest,
  by: GameCaller,
): Promise<CombatSession> {
  const row = await joinCombatRow(database, { sessionId, players: playersOf(request, by) }, by);
  unlessRefused(row);
  return describeCombat(row.combat);
}
