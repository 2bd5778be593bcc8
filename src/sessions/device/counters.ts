/**
 * Keeps what no row would tell afterwards: starts that were refused, and how many were live at once. Refusals are
 * gathered here and written together every 2 seconds, so that a flood of wrong keys is no flood of writes; a crash
 * loses that much of the count, and nothing else.
 */
import type { Database } from "../../database/database.ts";
import type { Logger } from "../../log.ts";
import { countLiveSessions } from "./index.ts";
import { addRefusals, claimSample, keepLivePeak } from "./numbers-sql.ts";

const FLUSH_MS = 2_000;
const SAMPLE_MS = 15_000;

export interface Counters {
  countRefusal(code: string): void;
  /** Writes the rest. */
  close(): Promise<void>;
}

export function openCounters(database: Database, log: Logger): Counters {
  let refusals = new Map<string, number>();
  let sampledAt = Number.NEGATIVE_INFINITY;
  let underWay: Promise<void> | undefined;

  const flush = async () => {
    if (refusals.size === 0) return;
    const taken = refusals;
    refusals = new Map();
    try {
      await addRefusals(
        database,
        [...taken].map(([code, n]) => ({ code, refusals: n })),
      );
    } catch (err) {
      log.debug({ err }, "refusals could not be written, the next time again");
      for (const [code, n] of taken) refusals.set(code, (refusals.get(code) ?? 0) + n);
    }
  };

  const sample = async () => {
    if (performance.now() - sampledAt < SAMPLE_MS) return;
    sampledAt = performance.now();
    try {
      if (!(await claimSample(database, SAMPLE_MS / 1000 - 1))) return;
      await keepLivePeak(database, await countLiveSessions(database));
    } catch (err) {
      log.debug({ err }, "nobody was counted");
    }
  };

  const timer = setInterval(() => {
    underWay ??= flush()
      .then(sample)
      .finally(() => {
        underWay = undefined;
      });
  }, FLUSH_MS);
  timer.unref();

  return {
    countRefusal: (code) => refusals.set(code, (refusals.get(code) ?? 0) + 1),
    async close() {
      clearInterval(timer);
      await underWay;
      await flush();
    },
  };
}
