/** The database as the rest of the program sees it: three lanes, opened together and closed together. */
import { drizzle, type PostgresJsDatabase } from "drizzle-orm/postgres-js";
import { type Lane, openLane } from "./lane.ts";

export interface Database {
  /** Starts, ends and the like: one statement for one caller, answered within the 3 seconds we promise. */
  readonly requests: Lane;
  /** Batches of heartbeats: few at a time, half the deadline, as one may wait behind another. */
  readonly heartbeats: Lane;
  /** Cleanup, administration and the command line: may take longer, and never stands in a client's way. */
  readonly background: Lane;
  /** Administration: a query built by drizzle, under the same bounds. */
  tables<T>(query: (tables: PostgresJsDatabase) => PromiseLike<T>): Promise<T>;
  close(): Promise<void>;
}

export const REQUEST_DEADLINE_MS = 2500;

export function openDatabase(url: string): Database {
  const requests = openLane(url, {
    name: "requests",
    connectionsMax: 10,
    waitingMax: 2000,
    deadlineMs: REQUEST_DEADLINE_MS,
  });
  const heartbeats = openLane(url, {
    name: "heartbeats",
    connectionsMax: 3,
    waitingMax: 8,
    deadlineMs: REQUEST_DEADLINE_MS / 2,
  });
  const background = openLane(url, { name: "background", connectionsMax: 2, waitingMax: 100, deadlineMs: 30_000 });
  // drizzle changes how its client reads and writes dates and JSON, so it has one of its own.
  const administration = openLane(url, {
    name: "administration",
    connectionsMax: 2,
    waitingMax: 100,
    deadlineMs: 30_000,
  });
  return {
    requests,
    heartbeats,
    background,
    tables: (query) => administration.query((sql) => query(drizzle(sql))),
    async close() {
      await Promise.all([requests, heartbeats, background, administration].map((lane) => lane.close()));
    },
  };
}
