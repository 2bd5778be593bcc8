/**
 * The database's own numbers for a scrape: read at most every few seconds, one reading at a time, and a scrape waits
 * for it a moment only. While the database is away the scrape says so, instead of telling an old number for a new one.
 */
import type { Database } from "../database/database.ts";
import { readClockSteps } from "../database/tick.ts";
import type { OpenKind } from "../sessions/kind.ts";
import { counter, gauge, type Samples } from "./samples.ts";

const FRESH_MS = 5_000;
const WAIT_MS_MAX = 700;
/** How old a number may be that stands in while a reading takes long. */
const STANDS_IN_MS = 30_000;

export interface PopulationReader {
  /** Without samples: the database did not say. */
  read(): Promise<{ databaseUp: boolean; samples: Samples }>;
}

export function createPopulationReader(database: Database, kinds: readonly OpenKind[]): PopulationReader {
  let latest: { samples: Samples; at: number } | undefined;
  let failed = false;
  let reading: Promise<void> | undefined;

  const refresh = () => {
    reading ??= readSamples(database, kinds)
      .then(
        (samples) => {
          latest = { samples, at: performance.now() };
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
      const samples = !failed && age() < STANDS_IN_MS ? latest?.samples : undefined;
      return { databaseUp: inTime && !failed, samples: samples ?? [] };
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

/** One after the other: the cleanup needs a connection of this lane, too. */
async function readSamples(database: Database, kinds: readonly OpenKind[]): Promise<Samples> {
  const steps = await readClockSteps(database);
  const samples = [
    counter("keybeat_clock_steps_total", "Times that the database's clock was seen to jump", [[{}, steps.count]]),
    gauge("keybeat_clock_last_step_seconds", "How far it jumped the last time; back is below 0", "max", [
      [{}, steps.lastSeconds],
    ]),
  ];
  for (const kind of kinds) samples.push(...((await kind.readSamples?.()) ?? []));
  return samples;
}
