import type { Database } from "../../database/database.ts";
import type { BatchSession, TransitionRequest } from "./contract.ts";
import { unlessRefused } from "./refusal.ts";
import { describeSession } from "./session.ts";
import { moveBatchRow } from "./sql.ts";

/**
 * Makes the session what its worker says. Throws an AppError: session_not_found, invalid_transition, results_disagree,
 * attempt_replaced, or unavailable.
 */
export async function moveSession(
  database: Database,
  sessionId: string,
  request: TransitionRequest,
): Promise<BatchSession> {
  const row = await moveBatchRow(database, {
    sessionId,
    status: request.status,
    errorMessage: request.error_message ?? null,
    attempt: request.attempt ?? null,
  });
  return describeSession(unlessRefused(row, request));
}
