import type { Database } from "../../database/database.ts";
import { countLiveSessions, countPopulation, type ExpiredRow, expireSessionRows, maintainHistory } from "./sql.ts";

const BATCH_SIZE = 5000;

export { countLiveSessions, countPopulation, type ExpiredRow, maintainHistory };

/**
 * Moves silent sessions into the history, batch after batch, until none is left or `untilMs` (on performance.now())
 * has come; `onBatch` sees each batch. Returns how many. Safe in any number of processes at once, and safe to kill:
 * a batch is one transaction, and what it did not do the next run does.
 */
export async function expireSessions(
  database: Database,
  untilMs: number,
  onBatch: (batch: ExpiredRow[]) => void = () => {},
): Promise<number> {
  let expired = 0;
  for (;;) {
    const batch = await expireSessionRows(database, BATCH_SIZE);
    expired += batch.length;
    if (batch.length > 0) onBatch(batch);
    if (batch.length < BATCH_SIZE || performance.now() > untilMs) return expired;
  }
}
