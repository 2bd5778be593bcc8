/**
 * Natural batching: while one batch is under way, the next one gathers. So a batch is as large as the load makes it, an
 * idle service answers at once, and nothing waits for a timer.
 *
 * Bounded: past WAITING_MAX the next caller is turned away at once, past WAITING_OF_SUBJECT_MAX that of this subject, and no
 * caller waits longer than WAIT_MS_MAX for its batch's answer.
 */
import { REQUEST_DEADLINE_MS } from "../../database/database.ts";
import { unavailable } from "../../errors.ts";
import type { BatchCounts } from "../../metrics/counts.ts";
import { observe } from "../../metrics/histogram.ts";

const BATCH_SIZE_MAX = 1000;
const WAITING_MAX = 20_000;
/** Of what goes one a batch: a client has one or two. More would hold everybody up, as each batch looks through them. */
const WAITING_OF_SUBJECT_MAX = 16;
export const WAIT_MS_MAX = REQUEST_DEADLINE_MS;
/** Before asking again for the callers of a failed batch. */
const AGAIN_MS = 20;
const SWEEP_MS = 100;

interface Waiter<T> {
  since: number;
  subject?: string | undefined;
  /** Its batch failed once. */
  failed?: boolean;
  settled?: boolean;
  resolve(outcome: T): void;
  reject(error: unknown): void;
}

export function createBatches<T>(rules: {
  /** Sends one batch of distinct ids; returns the outcome of each. */
  send(ids: string[]): Promise<(id: string) => T>;
  /** What a batch may have only once: of ids for which it is the same, the second goes with the next batch. */
  subjectOf?(id: string): string;
  counts?: BatchCounts | undefined;
}): (id: string, since?: number) => Promise<T> {
  let next = new Map<string, Waiter<T>[]>();
  let sent = new Map<string, Waiter<T>[]>();
  let waiting = 0;
  const waitingOf = new Map<string, number>();
  let underWay = false;
  let sweep: NodeJS.Timeout | undefined;

  /** `since` (on performance.now()): when the caller came, if not now. */
  const ask = (id: string, since = performance.now()): Promise<T> => {
    const subject = rules.subjectOf?.(id);
    if (waiting >= WAITING_MAX || (subject !== undefined && (waitingOf.get(subject) ?? 0) >= WAITING_OF_SUBJECT_MAX)) {
      if (rules.counts) rules.counts.shed++;
      return Promise.reject(unavailable(new Error(`${waiting} heartbeats are waiting, or too many of one session`)));
    }
    count(subject, 1);
    return new Promise<T>((resolve, reject) => {
      join(id, { since, subject, resolve, reject });
      if (!underWay) {
        underWay = true;
        setImmediate(run); // after everything else in this turn of the loop
      }
    });
  };

  const count = (subject: string | undefined, more: 1 | -1) => {
    waiting += more;
    if (subject === undefined) return;
    const now = (waitingOf.get(subject) ?? 0) + more;
    if (now > 0) waitingOf.set(subject, now);
    else waitingOf.delete(subject);
  };

  const join = (id: string, ...waiters: Waiter<T>[]) => {
    const same = next.get(id);
    if (same) same.push(...waiters);
    else next.set(id, waiters);
  };

  const run = async () => {
    sweep ??= setInterval(turnAwayLate, SWEEP_MS);
    while (next.size > 0) {
      const batch = takeBatch();
      sent = batch;
      if (rules.counts) observe(rules.counts.sizes, batch.size);
      try {
        const outcomeOf = await rules.send([...batch.keys()]);
        for (const [id, waiters] of batch) {
          const outcome = outcomeOf(id);
          settle(waiters, (waiter) => waiter.resolve(outcome));
        }
      } catch (error) {
        for (const [id, waiters] of batch) askOnceMore(id, waiters, error);
        await new Promise((done) => setTimeout(done, AGAIN_MS));
      }
    }
    underWay = false;
    clearInterval(sweep);
    sweep = undefined;
  };

  /**
   * Asking twice does no harm, and hides a dead connection (a restart, a failover) from the devices. Callers that were
   * turned away meanwhile are left out.
   */
  const askOnceMore = (id: string, waiters: Waiter<T>[], error: unknown) => {
    const first = waiters.filter((waiter) => !waiter.failed && !waiter.settled);
    const second = waiters.filter((waiter) => waiter.failed);
    for (const waiter of first) waiter.failed = true;
    if (first.length > 0) join(id, ...first);
    settle(second, (waiter) => waiter.reject(error));
  };

  const takeBatch = () => {
    if (next.size <= BATCH_SIZE_MAX && !rules.subjectOf) {
      const all = next;
      next = new Map();
      return all;
    }
    const batch = new Map<string, Waiter<T>[]>();
    const subjects = new Set<string>();
    for (const [id, waiters] of next) {
      if (batch.size === BATCH_SIZE_MAX) break;
      const subject = rules.subjectOf?.(id) ?? id;
      if (subjects.has(subject)) continue;
      subjects.add(subject);
      batch.set(id, waiters);
      next.delete(id);
    }
    return batch;
  };

  /** Includes the batch under way, which may take as long again: its outcome is then unknown to the callers. */
  const turnAwayLate = () => {
    const tooOld = performance.now() - WAIT_MS_MAX;
    for (const waiters of [...next.values(), ...sent.values()]) {
      const late = waiters.filter((waiter) => waiter.since < tooOld);
      settle(late, (waiter) => turnAway(waiter));
    }
    for (const [id, waiters] of next) if (waiters.every((waiter) => waiter.settled)) next.delete(id);
  };

  const turnAway = (waiter: Waiter<T>) => {
    if (rules.counts) rules.counts.late++;
    waiter.reject(unavailable(new Error("the heartbeat waited too long")));
  };

  const settle = (waiters: Waiter<T>[], how: (waiter: Waiter<T>) => void) => {
    for (const waiter of waiters) {
      if (waiter.settled) continue;
      waiter.settled = true;
      count(waiter.subject, -1);
      how(waiter);
    }
  };

  return ask;
}
