/**
 * The database's own numbers for a scrape: read at most every few seconds, one reading at a time, and a scrape waits
 * for it a moment only. While the database is away the scrape says so, instead of telling an old number for a new one.
 */
import type { Histogram } from "./histogram.ts";

const FRESH_MS = 5_000;
const WAIT_MS_MAX = 700;
/** How old a number may be that stands in while a reading takes long. */
const STANDS_IN_MS = 30_000;

export interface Population {
  live: number;
  /** Past their deadline and not yet cleaned up. */
  silent: number;
  /** By how much the longest silent one is past its deadline. */
  overdueSeconds: number;
  /** Jumps of the database's clock that were seen; the last one by so many seconds, back below 0. */
  clockSteps: { count: number; lastSeconds: number };
  room: RoomNumbers;
}

/** The waiting room, and what has become of its users since this process was first asked. */
export interface RoomNumbers {
  active: number;
  seats: number;
  waiting: number;
  waitingMax: number;
  /** Under way. */
  requests: number;
  requestsMax: number;
  paused: boolean;
  moves: Record<string, number>;
  /** In line, of those who were let in. */
  waitSeconds: Histogram;
}

export interface PopulationReader {
  /** Undefined: the database did not say. */
  read(): Promise<{ databaseUp: boolean; population: Population | undefined }>;
}

export function createPopulationReader(count: () => Promise<Population>): PopulationReader {
  let latest: { population: Population; at: number } | undefined;
  let failed = false;
  let reading: Promise<void> | undefined;

  const refresh = () => {
    reading ??= count()
      .then(
        (population) => {
          latest = { population, at: performance.now() };
          failed = false;
        },
        () => {
          failed = true;
        },
      )
      .finally(() => {
        reading = undefined;
      });
    return reading;
  };
  const age = () => (latest === undefined ? Number.POSITIVE_INFINITY : performance.now() - latest.at);

  return {
    async read() {
      let inTime = true;
      if (age() > FRESH_MS) inTime = await within(WAIT_MS_MAX, refresh());
      const population = !failed && age() < STANDS_IN_MS ? latest?.population : undefined;
      return { databaseUp: inTime && !failed, population };
    },
  };
}

async function within(ms: number, promise: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  return Promise.race([promise.then(() => true), late]).finally(() => clearTimeout(timer));
}
