/**
 * What one process counts, in plain numbers: the busy paths pay for an addition, and metrics.ts hands them to
 * prom-client when somebody asks. Every label is from a closed set: routes, codes, outcomes, never what a caller sent.
 */
import type { ErrorCode } from "../errors.ts";
import { createHistogram, type Histogram, observe } from "./histogram.ts";

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const BATCH_SIZES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

/** "ok", or the code of the error that was answered. */
export type AnswerCode = "ok" | ErrorCode;

export interface RouteCounts {
  method: string;
  /** The pattern that it is mounted at. */
  route: string;
  codes: Partial<Record<AnswerCode, number>>;
  seconds: Histogram;
}

export interface BatchCounts {
  sizes: Histogram;
  /** Turned away as too many were waiting. */
  shed: number;
  /** Turned away as they had waited too long. */
  late: number;
}

export interface Counts {
  /** Of this process, where it serves. */
  routes: Map<string, RouteCounts>;
  /** Requests with a nonce, by the id of the key that signs their answers; `none`: the client trusts none of ours. */
  signing: Map<string, number>;
  cleanup: { finished: number; failed: number; expired: number; finishedAtMs: number | undefined };
}

export function createCounts(): Counts {
  return {
    routes: new Map(),
    signing: new Map(),
    cleanup: { finished: 0, failed: 0, expired: 0, finishedAtMs: undefined },
  };
}

export function createBatchCounts(): BatchCounts {
  return { sizes: createHistogram(BATCH_SIZES), shed: 0, late: 0 };
}

export function createSecondsHistogram(): Histogram {
  return createHistogram(SECONDS);
}

/** The counts of one route, made when it is first asked for. */
export function countsOfRoute(counts: Counts, method: string, route: string): RouteCounts {
  const name = `${method} ${route}`;
  let found = counts.routes.get(name);
  if (found === undefined) {
    found = { method, route, codes: {}, seconds: createSecondsHistogram() };
    counts.routes.set(name, found);
  }
  return found;
}

/** `began` is of performance.now(). */
export function countAnswer(route: RouteCounts, code: AnswerCode, began: number): void {
  route.codes[code] = (route.codes[code] ?? 0) + 1;
  observe(route.seconds, (performance.now() - began) / 1000);
}

/** Runs a cleanup and remembers how it went. */
export async function countCleanup<T extends { deleted: number }>(counts: Counts, run: () => Promise<T>): Promise<T> {
  const { cleanup } = counts;
  try {
    const report = await run();
    cleanup.finished++;
    cleanup.expired += report.deleted;
    cleanup.finishedAtMs = performance.now();
    return report;
  } catch (error) {
    cleanup.failed++;
    throw error;
  }
}
