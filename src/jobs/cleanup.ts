import { deleteOldSignIns } from "../admin/sign-ins/sql.ts";
import type { Database } from "../database/database.ts";
import { deleteOldCounts } from "../limits/sql.ts";
import type { Logger } from "../log.ts";
import { countLiveSessions, expireSessions, maintainHistory } from "../sessions/device/expire.ts";
import { cleanUpRoom } from "../sessions/waiting-room/index.ts";

/** How many of the cleaned sessions are named in the log, a run. */
const NAMED_MAX = 20;

export interface CleanupReport {
  deleted: number;
  /** Sessions that are live after the run; only where it was asked for, as they are counted one by one. */
  remaining?: number;
}

/**
 * Tidies: sessions that fell silent go to the history, history past its retention goes away. No answer of the service
 * depends on it (G5); run it never, late, twice at once, or kill it midway, and the same answers come.
 *
 * Takes at most `budgetMs` and a statement's deadline. A run that finds nothing says so at level `debug`, unless asked
 * for by a person (`asked`). Throws `unavailable` if the database is away.
 */
export async function runCleanup(
  database: Database,
  log: Logger,
  options: { historyRetentionDays: number; budgetMs: number; asked: boolean },
): Promise<CleanupReport> {
  const startedAt = performance.now();
  let named = 0;
  let level: "info" | "debug" = options.asked ? "info" : "debug";
  if (options.asked) log.info("cleanup started");

  const deleted = await expireSessions(database, startedAt + options.budgetMs, (batch) => {
    if (level === "debug") {
      level = "info";
      log.info("cleanup started");
    }
    for (const session of batch.slice(0, NAMED_MAX - named)) {
      named++;
      log.info({ access_key: session.access_key, session_id: session.session_id }, "expired session cleaned up");
    }
  });
  if (deleted > named) log.info({ more: deleted - named }, "more expired sessions cleaned up");
  await tidyHistory(database, log, options.historyRetentionDays);
  const places = await cleanUpRoom(database, {
    retentionDays: options.historyRetentionDays,
    untilMs: startedAt + options.budgetMs,
  });
  if (places > 0) log.info({ places }, "places of the waiting room cleaned up");
  // The whole table is read for it once more.
  const report = { deleted, ...(options.asked && { remaining: await countLiveSessions(database) }) };
  log[level]({ ...report, ms: Math.round(performance.now() - startedAt) }, "cleanup finished");
  return report;
}

/** Partitions wait for a long reader of the history; the sessions do not wait for them, and the next run tries again. */
async function tidyHistory(database: Database, log: Logger, retentionDays: number): Promise<void> {
  try {
    await deleteOldCounts(database);
    await deleteOldSignIns(database);
    const history = await maintainHistory(database, retentionDays);
    if (history.made + history.dropped > 0) log.info(history, "history partitions made and dropped");
  } catch (err) {
    log.warn({ err }, "the history could not be tidied, the next cleanup tries again");
  }
}
