import { setTimeout as sleep } from "node:timers/promises";
import type { Database } from "../../database/database.ts";
import { isLocked } from "../../database/locked.ts";
import { type PageRange, pageRanges } from "../../database/page-ranges.ts";
import { countSessions } from "./live-sql.ts";
import { type ExpiredRow, expireSessionRows, maintainHistory } from "./sql.ts";

const BATCH_SIZE = 2500;
/** A batch waits a tenth of a second for a lock: another cleanup that extends the history may have it for that long. */
const TRIES = 10;
const AGAIN_MS = 100;

export { type ExpiredRow, maintainHistory };

/**
 * Moves silent sessions into the history in batches, until none is left or `untilMs` (on performance.now()) has come;
 * `onBatch` sees each batch. Returns how many. Safe in any number of processes at once, and safe to kill: a batch is one
 * transaction, and the next run does the rest. Devices hardly feel it (see page-ranges.ts).
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
      batch = await expireBatch(database, range);
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

async function expireBatch(database: Database, range: PageRange): Promise<ExpiredRow[]> {
  for (let tries = 1; ; tries++) {
    try {
      return await expireSessionRows(database, range, BATCH_SIZE);
    } catch (error) {
      if (!isLocked(error) || tries === TRIES) throw error;
      await sleep(AGAIN_MS);
    }
  }
}

/** Counts in pieces: of a large table, the pieces are counted at slightly different moments. */
export async function countLiveSessions(database: Database): Promise<number> {
  let live = 0;
  for await (const range of pageRanges(database, "active_sessions")) {
    live += (await countSessions(database.background, range)).live;
  }
  return live;
}
