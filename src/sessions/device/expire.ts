import type { Database } from "../../database/database.ts";
import { pageRanges } from "../../database/page-ranges.ts";
import { countLiveSessionsIn, type ExpiredRow, expireSessionRows, maintainHistory } from "./sql.ts";

const BATCH_SIZE = 2500;

export { type ExpiredRow, maintainHistory };

/**
 * Moves silent sessions into the history, batch after batch, until none is left or `untilMs` (on performance.now())
 * has come; `onBatch` sees each batch. Returns how many. Safe in any number of processes at once, and safe to kill:
 * a batch is one transaction, and what it did not do the next run does. Devices hardly feel it (see page-ranges.ts).
 */
export async function expireSessions(
  database: Database,
  untilMs: number,
  onBatch: (batch: ExpiredRow[]) => void = () => {},
): Promise<number> {
  let expired = 0;
  for await (const range of pageRanges(database, "active_sessions")) {
    let batch: ExpiredRow[];
    do {
      batch = await expireSessionRows(database, range, BATCH_SIZE);
      expired += batch.length;
      if (batch.length > 0) {
        range.rest = false;
        onBatch(batch);
      }
      if (performance.now() > untilMs) return expired;
    } while (batch.length === BATCH_SIZE);
  }
  return expired;
}

/** Piece by piece: of a large table the pieces' counts are of moments a little apart. */
export async function countLiveSessions(database: Database): Promise<number> {
  let live = 0;
  for await (const range of pageRanges(database, "active_sessions")) live += await countLiveSessionsIn(database, range);
  return live;
}
