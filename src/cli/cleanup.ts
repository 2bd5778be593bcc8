import type { Command } from "commander";
import { readConfig } from "../config.ts";
import { runCleanup } from "../jobs/cleanup.ts";
import { createLog } from "../log.ts";
import { createCounts } from "../metrics/counts.ts";
import { KINDS, openKinds } from "../sessions/kinds.ts";
import { withDatabase } from "./context.ts";
import { type OutputOptions, printJson } from "./output.ts";

/** A host's cron may start the next run every minute; this one is over by then. */
const CLEANUP_BUDGET_MS = 45_000;

export function addCleanupCommand(program: Command): void {
  program
    .command("cleanup")
    .description("end the sessions that fell silent and drop old history, once; for a host's cron")
    .option("--json", "print the result as JSON, and no log")
    .action(async (options: OutputOptions) => {
      const log = createLog(options.json ? "silent" : readConfig().logLevel);
      const report = await withDatabase(
        ({ database, config }) =>
          runCleanup(openKinds(KINDS, config.kinds, { database, counts: createCounts(), log }), database, log, {
            historyRetentionDays: config.historyRetentionDays,
            budgetMs: CLEANUP_BUDGET_MS,
            asked: true,
          }),
        log,
      );
      if (options.json) printJson(report);
      else console.log(`cleaned up ${report.deleted} expired session(s), ${report.remaining} live`);
    });
}
