import type { Operator } from "../../audit/operator.ts";
import type { Database } from "../../database/database.ts";
import type { GameSession } from "./contract.ts";
import { unlessRefused } from "./refusal.ts";
import { describeSession } from "./session.ts";
import { forceEndRow } from "./sql.ts";

/** Ends it by hand, as terminated; one that has ended stays as it is. Throws session_not_found, or unavailable. */
export async function forceEnd(
  database: Database,
  sessionId: string,
  reason: string | undefined,
  by: Operator,
): Promise<{ isNew: boolean; session: GameSession }> {
  const row = unlessRefused(await forceEndRow(database, sessionId, reason ?? null, by));
  return { isNew: row.outcome === "terminated", session: describeSession(row) };
}
