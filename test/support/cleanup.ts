/** The cleanup as the command runs it: of all kinds of session, with the settings' defaults. */
import { readConfig } from "../../src/config.ts";
import type { Database } from "../../src/database/database.ts";
import { type CleanupReport, runCleanup as run } from "../../src/jobs/cleanup.ts";
import type { Logger } from "../../src/log.ts";
import { createCounts } from "../../src/metrics/counts.ts";
import { KINDS, openKinds } from "../../src/sessions/kinds.ts";

export function runCleanup(
  database: Database,
  log: Logger,
  options: { historyRetentionDays: number; budgetMs: number; asked: boolean },
): Promise<CleanupReport> {
  return run(openKinds(KINDS, readConfig({}).kinds, { database, counts: createCounts(), log }), database, log, options);
}
