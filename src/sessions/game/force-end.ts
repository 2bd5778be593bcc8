import type { Operator } from "../../audit/operator.ts";
import type { Database } from "../../database/database.ts";
import type { GameSession } from "./contract.ts";
import { unlessRefused } from "./refusal.ts";
import { describeSession } from "./session.ts";
import { forceEndRow } from "./sql.ts";

/** Ends it by hand, as terminated. Throws session_not_found, session_over, or unavailable. */
export async function forceEnd(
  database: Database,
  sessionId: string,
  reason: string | undefined,
  by: Operator,
): Promise<GameSession> {
  return describeSession(unlessRefused(await forceEndRow(database, sessionId, reason ?? null, by)));
}
