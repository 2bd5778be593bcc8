/**
 * Looks at one session repeatedly, through outages of the database, and misses none of its events: they are kept there,
 * and each look begins where the last one that succeeded ended. It starts no embedded database.
 */
import type { Config } from "../../config.ts";
import { type Database, openDatabase } from "../../database/database.ts";
import type { KeptEvent, Tidings } from "../../events/replay.ts";
import { findTarget, whyAway } from "../target.ts";

export interface Seen<Row> {
  session: Row;
  /** Since the look before. */
  events: KeptEvent[];
  /** How it stands, where a reader of the event stream is told. */
  state: Tidings["state"];
}

export interface Away {
  unavailable: string;
}

export interface Subject<Row> {
  /** The id of the last event that is known; what happened before is not told. */
  after: number;
  /** A bounded number of the events after that one. Undefined: it is gone. */
  read(database: Database, after: number): Promise<(Tidings & { session: Row }) | undefined>;
}

export interface Follower<Row> {
  look(): Promise<Seen<Row> | "gone" | Away>;
  close(): Promise<void>;
}

export function openFollower<Row>(config: Config, subject: Subject<Row>): Follower<Row> {
  let { after } = subject;
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

  const take = async (): Promise<Seen<Row> | "gone"> => {
    const database = await connect();
    const events: KeptEvent[] = [];
    for (let place = after; ; ) {
      const tidings = await subject.read(database, place);
      if (tidings === undefined) return "gone";
      events.push(...tidings.events);
      place = events.at(-1)?.id ?? place;
      if (!tidings.complete) continue;
      after = place;
      return { session: tidings.session, events, state: tidings.state };
    }
  };

  return {
    look: () => take().catch((error: unknown) => ({ unavailable: whyAway(error) })),
    close: async () => open?.database.close(),
  };
}
