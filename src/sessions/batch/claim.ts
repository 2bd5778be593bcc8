import type { Database } from "../../database/database.ts";
import type { BatchSession, ClaimRequest } from "./contract.ts";
import { unlessRefused } from "./refusal.ts";
import { describeSession } from "./session.ts";
import { claimBatchRow } from "./sql.ts";

/**
 * Gives the session to a worker, under a new `attempt`. Throws an AppError: session_not_found, session_over, claimed
 * (whoever has it was heard of in the last 60 s), or unavailable.
 */
export async function claimSession(
  database: Database,
  sessionId: string,
  request: ClaimRequest,
): Promise<BatchSession> {
  const claim = { sessionId, worker: request.worker ?? null, mayReplace: request.on_conflict === "replace" };
  return describeSession(unlessRefused(await claimBatchRow(database, claim)));
}
