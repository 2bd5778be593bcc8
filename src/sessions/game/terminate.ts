import type { Database } from "../../database/database.ts";
import type { GameCaller } from "./caller.ts";
import type { GameSession } from "./contract.ts";
import { unlessRefused } from "./refusal.ts";
import { describeSession } from "./session.ts";
import { terminateGameRow } from "./sql.ts";

/**
 * Ends it as terminated; one that has ended stays as it is. Throws an AppError: session_not_found, forbidden for anybody but
 * who made it, precondition_failed, or unavailable.
 */
export async function terminateSession(
  database: Database,
  sessionId: string,
  options: { reason: string | undefined; matching: number[] | undefined },
  by: GameCaller,
): Promise<GameSession> {
  return describeSession(unlessRefused(await terminateGameRow(database, sessionId, by, options)));
}
