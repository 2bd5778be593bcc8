import type { Database } from "../../database/database.ts";
import type { ProgressReply, ProgressRequest } from "./contract.ts";
import { unlessRefused } from "./refusal.ts";
import { reportBatchRow } from "./sql.ts";

/** A worker that claimed the run keeps it while it is heard of once a minute. */
const REPORT_SECONDS_MAX = 20;

/**
 * A sign of life, and what the worker says of how far it is; of a pending session that alone counts. Throws an AppError:
 * session_not_found, session_over, attempt_replaced, or unavailable.
 */
export async function reportProgress(
  database: Database,
  sessionId: string,
  request: ProgressRequest,
): Promise<ProgressReply> {
  const row = unlessRefused(
    await reportBatchRow(database, {
      sessionId,
      percent: request.progress_percent ?? null,
      message: request.message ?? null,
      attempt: request.attempt ?? null,
    }),
  );
  const silentUntil = row.silent_until as Date;
  return {
    session_id: row.session_id,
    status: row.status,
    progress_percent: row.progress_percent,
    message: row.message,
    attempt: row.attempt,
    silent_until: silentUntil.toISOString(),
    report_in: reportIn(row.silence_seconds),
  };
}

/** Three signs of life within the limit, so that two lost ones cost nothing; never all runs at once. */
function reportIn(silenceSeconds: number): number {
  const seconds = Math.min(REPORT_SECONDS_MAX, silenceSeconds / 3) * (0.9 + Math.random() * 0.1);
  return Math.round(seconds * 100) / 100;
}
