/**
 * The numbers of the page. On a large installation they take seconds; then several readers share one reading, a reading
 * is given out for some time, and whoever cannot be answered within a request's deadline is asked to come again: the
 * reading goes on.
 */
import { type Database, REQUEST_DEADLINE_MS } from "../../database/database.ts";
import { unavailable } from "../../errors.ts";
import { countLiveSessions } from "../../sessions/device/index.ts";
import {
  type HourRow,
  keepLivePeak,
  type SharingRow,
  selectHours,
  selectNewestTakeovers,
  selectSharing,
} from "../../sessions/device/numbers-sql.ts";
import type { NumbersReply } from "./contract.ts";

const KEYS_MAX = 20;
const TAKEOVERS_MAX = 10;
const LIMITS = Array.from({ length: 10 }, (_, at) => at + 1);
/** A reading that took longer is kept for KEPT_TIMES as long. */
const SLOW_MS = 500;
const KEPT_TIMES = 10;

export type ReadNumbers = (hours: number) => Promise<NumbersReply>;

export function createNumbers(database: Database): ReadNumbers {
  const readings = new Map<number, Promise<NumbersReply>>();

  const begin = (hours: number): Promise<NumbersReply> => {
    const startedAt = performance.now();
    const reading = readNumbers(database, hours);
    const forget = () => readings.delete(hours);
    reading.then(() => {
      const tookMs = performance.now() - startedAt;
      if (tookMs < SLOW_MS) forget();
      else setTimeout(forget, tookMs * KEPT_TIMES).unref();
    }, forget);
    readings.set(hours, reading);
    return reading;
  };

  return (hours) => withinDeadline(readings.get(hours) ?? begin(hours));
}

async function withinDeadline<T>(reading: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(unavailable(new Error("the numbers take longer"))), REQUEST_DEADLINE_MS);
  });
  return Promise.race([reading, late]).finally(() => clearTimeout(timer));
}

async function readNumbers(database: Database, hours: number): Promise<NumbersReply> {
  const live = await countLiveSessions(database);
  await keepLivePeak(database, live);
  // One after the other: the cleanup needs a connection of this lane, too.
  const rows = await selectHours(database, hours);
  const sharing = await selectSharing(database, hours, KEYS_MAX);
  const newest = await selectNewestTakeovers(database, hours, TAKEOVERS_MAX);
  const sum = (of: (row: HourRow) => number) => rows.reduce((total, row) => total + of(row), 0);
  const endings = sum((row) => row.takeovers + row.expiries + row.ends + row.revocations + row.copies);
  return {
    live,
    peak: peakOf(rows),
    hours: rows.map(({ peak_at: _, hour, ...row }) => ({ ...row, hour: hour.toISOString() })),
    takeovers_between_devices: sharing.takeovers,
    newest_takeovers: newest.map((row) => ({ ...row, at: row.at.toISOString() })),
    unclean_share: endings === 0 ? null : sum((row) => row.expiries) / endings,
    limits: LIMITS.map((limit) => ({ limit, keys_served: keysServed(sharing, limit) })),
  };
}

function peakOf(rows: HourRow[]): NumbersReply["peak"] {
  const counted = rows.filter((row) => row.live_peak !== null && row.peak_at !== null);
  const highest = counted.reduce<HourRow | undefined>(
    (best, row) => (best === undefined || (row.live_peak as number) > (best.live_peak as number) ? row : best),
    undefined,
  );
  return highest ? { live: highest.live_peak as number, at: (highest.peak_at as Date).toISOString() } : null;
}

function keysServed(sharing: SharingRow, limit: number): number {
  return sharing.keys_by_devices.reduce((total, row) => total + (row.devices <= limit ? row.keys : 0), 0);
}
