import { deleteOldSignIns } from "../admin/sign-in/sql.ts";
import type { Database } from "../database/database.ts";
import { deleteOldCounts } from "../limits/sql.ts";
import type { Logger } from "../log.ts";
import type { OpenKind } from "../sessions/kind.ts";

/** What was tidied, by the names the kinds of session use. */
export interface CleanupReport {
  /** Device sessions that had fallen silent. */
  deleted: number;
  [what: string]: number;
}

/**
 * Tidies each kind of session, and what they share. No answer of the service depends on it (G5): run it never, late,
 * twice at once or kill it midway, and answers stay the same.
 *
 * Takes at most `budgetMs` plus one statement's deadline. A run that finds nothing logs at `debug`, unless a person
 * asked for it (`asked`). Throws `unavailable` if the database is away.
 */
export async function runCleanup(
  kinds: readonly OpenKind[],
  database: Database,
  log: Logger,
  options: { historyRetentionDays: number; budgetMs: number; asked: boolean },
): Promise<CleanupReport> {
  const startedAt = performance.now();
  let level: "info" | "debug" = "debug";
  const found = () => {
    if (level === "debug") log.info("cleanup started");
    level = "info";
  };
  if (options.asked) found();

  const report: CleanupReport = { deleted: 0 };
  for (const kind of kinds) {
    const done = await kind.cleanUp({
      untilMs: startedAt + options.budgetMs,
      retentionDays: options.historyRetentionDays,
      asked: options.asked,
      found,
    });
    Object.assign(report, done);
  }
  await deleteOld(database, log);
  log[level]({ ...report, ms: Math.round(performance.now() - startedAt) }, "cleanup finished");
  return report;
}

async function deleteOld(database: Database, log: Logger): Promise<void> {
  try {
    await deleteOldCounts(database);
    await deleteOldSignIns(database);
  } catch (err) {
    log.warn({ err }, "old counts and sign-ins could not be deleted, the next cleanup tries again");
  }
}
