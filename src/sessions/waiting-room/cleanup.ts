import type { Database } from "../../database/database.ts";
import { forgetMoves, settleRoom } from "./sql.ts";

const BATCH_SIZE = 1000;

/** The waiting room's part of the cleanup. Returns how many places were removed. */
export async function cleanUpRoom(
  database: Database,
  options: { retentionDays: number; untilMs: number },
): Promise<number> {
  const removed = await expirePlaces(database, options.untilMs);
  await forgetMoves(database, options.retentionDays);
  return removed;
}

/**
 * Removes the places of silent users and lets the next ones in, in batches, until nobody is due or `untilMs` (on
 * performance.now()) has come. Returns how many. Every call to the room does the same for what it finds; this covers
 * times without calls.
 */
export async function expirePlaces(database: Database, untilMs: number): Promise<number> {
  let removed = 0;
  for (;;) {
    const batch = await settleRoom(database);
    removed += batch;
    if (batch < BATCH_SIZE || performance.now() > untilMs) return removed;
  }
}
