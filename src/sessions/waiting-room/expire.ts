import type { Database } from "../../database/database.ts";
import { forgetMoves, settleRoom } from "./sql.ts";

const BATCH_SIZE = 1000;

/**
 * Takes the places of silent users away and lets the next ones in, batch after batch, until nobody is due or `untilMs`
 * (on performance.now()) has come. Returns how many. Every call of the room does the same for what it finds; this is for
 * the time in which nobody calls.
 */
export async function expirePlaces(database: Database, untilMs: number): Promise<number> {
  let removed = 0;
  for (;;) {
    const batch = await settleRoom(database);
    removed += batch;
    if (batch < BATCH_SIZE || performance.now() > untilMs) return removed;
  }
}

/** The cleanup's part of the waiting room. Returns how many places were taken away. */
export async function cleanUpRoom(
  database: Database,
  options: { retentionDays: number; untilMs: number },
): Promise<number> {
  const removed = await expirePlaces(database, options.untilMs);
  await forgetMoves(database, options.retentionDays);
  return removed;
}
