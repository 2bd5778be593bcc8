import { type Database, REQUEST_DEADLINE_MS } from "../../database/database.ts";
import { settleGameRows } from "./upkeep-sql.ts";

const BATCH_SIZE = 500;

/** Ends whatever is over, so that a list shows none that is not; an index says at once that there is nothing. */
export async function settleDue(database: Database): Promise<void> {
  const until = performance.now() + REQUEST_DEADLINE_MS / 2;
  while (
    (await settleGameRows(database, "requests", BATCH_SIZE)).looked_at === BATCH_SIZE &&
    performance.now() < until
  );
}

/**
 * The game sessions' part of the cleanup: ends those whose time is over, which every reader would do for the one that it
 * reads, until `untilMs` (on performance.now()). Returns how many.
 */
export async function expireGames(database: Database, untilMs: number): Promise<number> {
  let expired = 0;
  for (let more = true; more; ) {
    const { looked_at, ended } = await settleGameRows(database, "background", BATCH_SIZE);
    expired += ended;
    more = looked_at === BATCH_SIZE && performance.now() < untilMs;
  }
  return expired;
}
