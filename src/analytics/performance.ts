/** How fast this service answers calls of games: what each process has measured, stored every ten seconds. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Database } from "../database/database.ts";
import type { Clock } from "../jobs/clocks.ts";
import { type Counts, createSecondsHistogram } from "../metrics/counts.ts";
import { type Histogram, percentileOf } from "../metrics/histogram.ts";
import { insertPerformance, type NumbersRow } from "./sql.ts";

const STORE_MS = 10_000;
/** A shutdown waits no longer for it. */
const LAST_MS = 1_000;

export interface PerformanceClock extends Clock {
  /** When nobody is answered any more: stores what was measured since, if the database takes it at once. */
  close(): Promise<void>;
}

/** Of the routes under `prefix`. What cannot be stored is stored with what comes next. */
export function createPerformanceClock(database: Database, counts: Counts, prefix: string): PerformanceClock {
  const process = randomUUID();
  let stored = createSecondsHistogram();
  let storedAt = performance.now();
  let underWay = Promise.resolve();

  async function store(untilMs: number): Promise<void> {
    const total = addUp(counts, prefix);
    const at = performance.now();
    const buckets = total.counts.map((count, bucket) => count - (stored.counts[bucket] as number));
    const calls = sum(buckets);
    if (calls === 0) return;
    const measured = { seconds: (at - storedAt) / 1000, calls, totalMs: (total.sum - stored.sum) * 1000, buckets };
    await insertPerformance(database, process, measured, untilMs);
    stored = total;
    storedAt = at;
  }
  /** One after the other, or what the first has stored would be stored twice. */
  const storeInTurn = (untilMs: number) => {
    underWay = underWay.catch(() => {}).then(() => store(untilMs));
    return underWay;
  };

  return {
    name: "the speed of game sessions",
    everyMs: STORE_MS,
    run: () => storeInTurn(Number.POSITIVE_INFINITY),
    async close() {
      const last = storeInTurn(performance.now() + LAST_MS).catch(() => {});
      await Promise.race([last, sleep(LAST_MS, undefined, { ref: false })]);
    },
  };
}

/** As it is told. Where nothing was measured there is no average. */
export function describePerformance(measured: NumbersRow["performance"]) {
  if (measured === null) return { throughput_per_second: 0 };
  const { calls, total_ms, seconds, buckets } = measured;
  const histogram = { ...createSecondsHistogram(), counts: buckets };
  return {
    average_response_time_ms: total_ms / calls,
    p95_response_time_ms: percentileOf(histogram, 0.95) * 1000,
    throughput_per_second: calls / Math.max(seconds, STORE_MS / 1000),
  };
}

function addUp(counts: Counts, prefix: string): Histogram {
  const total = createSecondsHistogram();
  for (const { route, seconds } of counts.routes.values()) {
    if (!route.startsWith(prefix)) continue;
    seconds.counts.forEach((count, bucket) => {
      (total.counts[bucket] as number) += count;
    });
    total.sum += seconds.sum;
  }
  return total;
}

const sum = (numbers: number[]) => numbers.reduce((all, one) => all + one, 0);
