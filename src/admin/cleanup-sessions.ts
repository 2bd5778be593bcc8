import type { Operator } from "../audit/operator.ts";
import { insertAudit } from "../audit/sql.ts";
import type { Database } from "../database/database.ts";
import type { CleanupReport } from "../jobs/cleanup.ts";

/** Runs the cleanup now; the audit log keeps it if a session was ended. Returns how many were. */
export async function cleanUpNow(
  deps: { database: Database; cleanUp(): Promise<CleanupReport> },
  by: Operator,
): Promise<number> {
  const { deleted } = await deps.cleanUp();
  if (deleted > 0) await insertAudit(deps.database, { by, action: "sessions_cleaned_up", details: { deleted } });
  return deleted;
}
