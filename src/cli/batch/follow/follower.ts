/**
 * Looks at one session repeatedly, through outages of the database, and misses none of its events: they are kept there,
 * and each look begins where the last one that succeeded ended. It starts no embedded database.
 */
import type { Config } from "../../../config.ts";
import { type Database, openDatabase } from "../../../database/database.ts";
import { placeNow } from "../../../events/place.ts";
import type { KeptEvent } from "../../../events/replay.ts";
import { readTidings, standingOf, tidingsOf } from "../../../sessions/batch/follow.ts";
import type { BatchRow } from "../../../sessions/batch/sql.ts";
import { findTarget, whyAway } from "../../target.ts";

export interface Seen {
  run: BatchRow;
  /** Since the look before. */
  events: KeptEvent[];
  /** How far it is, as a reader of the event stream is told. */
  progress: { values: unknown; data: unknown };
}

export type Look = Seen | "gone" | { unavailable: string };

export interface Follower {
  look(): Promise<Look>;
  close(): Promise<void>;
}

/** `run`: as it stood just now; what happened before is not told. */
export function openFollower(config: Config, run: BatchRow): Follower {
  let after = placeNow(standingOf(run));
  let open: { url: string; database: Database } | undefined;

  /** The embedded database may come back on another port. */
  const connect = async (): Promise<Database> => {
    const target = await findTarget(config);
    if ("missing" in target) throw new Error(target.missing);
    if (open?.url !== target.url) {
      await open?.database.close();
      open = { url: target.url, database: openDatabase(target.url) };
    }
    return open.database;
  };

  const take = async (): Promise<Look> => {
    const database = await connect();
    const events: KeptEvent[] = [];
    for (let place = after; ; ) {
      const [row] = await readTidings(database, [{ session_id: run.session_id, after: place }]);
      if (row === undefined) return "gone";
      const tidings = tidingsOf(row);
      events.push(...tidings.events);
      place = events.at(-1)?.id ?? place;
      if (!tidings.complete) continue;
      after = place;
      return { run: row, events, progress: tidings.state };
    }
  };

  return {
    look: () => take().catch((error: unknown) => ({ unavailable: whyAway(error) })),
    close: async () => open?.database.close(),
  };
}
