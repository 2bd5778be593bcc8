import type { Database } from "../../database/database.ts";
import type { Logger } from "../../log.ts";
import type { CleanupOrder } from "../kind.ts";
import { countLiveSessions, expireSessions, maintainHistory } from "./expire.ts";
import { forgetLeaseRows } from "./lease-sql.ts";

/** How many of the cleaned sessions are named in the log, a run. */
const NAMED_MAX = 20;

/**
 * Sessions that fell silent go to the history, history past its retention goes away. Counts what it ended (`deleted`)
 * and, asked by a person, what is live (`remaining`).
 */
export async function cleanUpSessions(
  database: Database,
  log: Logger,
  order: CleanupOrder,
): Promise<Record<string, number>> {
  let named = 0;
  const deleted = await expireSessions(database, order.untilMs, (batch) => {
    order.found();
    for (const session of batch.slice(0, NAMED_MAX - named)) {
      named++;
      log.info({ access_key: session.access_key, session_id: session.session_id }, "expired session cleaned up");
    }
  });
  if (deleted > named) log.info({ more: deleted - named }, "more expired sessions cleaned up");
  await tidyHistory(database, log, order.retentionDays);
  await forgetLeases(database, log);
  // The whole table is read for it once more.
  return { deleted, ...(order.asked && { remaining: await countLiveSessions(database) }) };
}

/** Of leases that are over no answer depends; the next run does the rest. */
async function forgetLeases(database: Database, log: Logger): Promise<void> {
  const leases = await forgetLeaseRows(database);
  if (leases > 0) log.info({ leases }, "leases that are over were cleaned up");
}

/** Partitions wait for a long reader of the history; the sessions do not wait for them, and the next run tries again. */
async function tidyHistory(database: Database, log: Logger, retentionDays: number): Promise<void> {
  try {
    const history = await maintainHistory(database, retentionDays);
    if (history.made + history.dropped > 0) log.info(history, "history partitions made and dropped");
  } catch (err) {
    log.warn({ err }, "the history could not be tidied, the next cleanup tries again");
  }
}
