import type { Database } from "../../database/database.ts";
import { settleRoom } from "./sql.ts";

const BATCH_SIZE = 1000;

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
