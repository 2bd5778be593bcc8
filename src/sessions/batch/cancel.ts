import type { Operator } from "../../audit/operator.ts";
import type { Database } from "../../database/database.ts";
import { unlessRefused } from "./refusal.ts";
import { cancelBatchRow } from "./sql.ts";

/**
 * Ends the session; its worker learns it with its next call, and by the events. `by`: the operator, if it is one. Throws an
 * AppError: session_not_found, session_over, or unavailable.
 */
export async function cancelSession(
  database: Database,
  sessionId: string,
  reason: string | undefined,
  by: Operator | null,
): Promise<{ success: true; message: string; completed_count: number }> {
  const row = unlessRefused(await cancelBatchRow(database, sessionId, reason ?? null, by));
  return { success: true, message: "The session is cancelled", completed_count: row.completed_nodes };
}
