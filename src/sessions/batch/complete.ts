import type { Database } from "../../database/database.ts";
import type { BatchSession, CompleteRequest } from "./contract.ts";
import { unlessRefused } from "./refusal.ts";
import { describeSession } from "./session.ts";
import { completeBatchRow } from "./sql.ts";

/**
 * Ends the session as its results say: all in and no failure (or none reported at all) completed, no success failed, else
 * partial_failure. Throws an AppError: session_not_found, session_over, invalid_transition (it never began),
 * attempt_replaced, or unavailable.
 */
export async function completeSession(
  database: Database,
  sessionId: string,
  request: CompleteRequest,
): Promise<BatchSession> {
  const row = await completeBatchRow(database, {
    sessionId,
    errorMessage: request.error_message ?? null,
    percent: request.progress_percent ?? null,
    attempt: request.attempt ?? null,
  });
  return describeSession(unlessRefused(row));
}
