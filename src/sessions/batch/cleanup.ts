import { type Database, REQUEST_DEADLINE_MS } from "../../database/database.ts";
import { forgetBatches, settleBatchRows } from "./upkeep-sql.ts";

const BATCH_SIZE = 500;

/** Ends whatever is over, so that a list shows none that is not; an index says at once that there is nothing. */
export async function settleDue(database: Database): Promise<void> {
  const until = performance.now() + REQUEST_DEADLINE_MS / 2;
  while (
    (await settleBatchRows(database, "requests", BATCH_SIZE)).looked_at === BATCH_SIZE &&
    performance.now() < until
  );
}

/**
 * The batch sessions' part of the cleanup: ends those that have been silent too long or are past their deadline, which
 * every reader would do for the one that it reads, and forgets old ones, until `untilMs` (on performance.now()).
 */
export async function cleanUpBatches(
  database: Database,
  options: { retentionDays: number; untilMs: number },
): Promise<{ ended: number; forgotten: number }> {
  const done = { ended: 0, forgotten: 0 };
  for (let more = true; more; ) {
    const { looked_at, ended } = await settleBatchRows(database, "background", BATCH_SIZE);
    done.ended += ended;
    more = looked_at === BATCH_SIZE && performance.now() < options.untilMs;
  }
  for (let more = true; more; ) {
    const forgotten = await forgetBatches(database, options.retentionDays);
    done.forgotten += forgotten;
    more = forgotten > 0 && performance.now() < options.untilMs;
  }
  return done;
}
