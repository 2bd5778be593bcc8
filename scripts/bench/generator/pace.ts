/**
 * Requests at a steady rate, after a ramp up to it, whether or not the server keeps up. A request that is due while
 * every connection is taken waits, and its latency counts from when it was due: a stalled server is not spared the
 * requests that would have come meanwhile.
 */
import { type Lane, type LaneEvents, openLane, type Target } from "./lane.ts";

export interface Answer {
  /** Counted from 0, as given to `make`. */
  number: number;
  dueAt: number;
  sentAt: number;
  at: number;
  /** 0: the connection broke. */
  status: number;
  body(): string;
}

export interface PaceOptions {
  target: Target;
  connectionsMax: number;
  perSecond: number;
  /** How long the rate rises evenly from nothing, to let code be compiled first. */
  rampSeconds: number;
  total: number;
  /** The request, or undefined to skip this one. */
  make(number: number, now: number): string | undefined;
  /** The answer is valid only until this returns. */
  onAnswer(answer: Answer): void;
}

export interface Pace {
  /** Opens the connections; the first request is due at `at`, on performance.now(). */
  start(at: number): void;
  /** Due, but waiting for a free connection. */
  waiting(): number;
  /** Whether everything that was due is answered. */
  isDone(): boolean;
  close(): void;
}

const TICK_MS = 1;

/** How many requests are due in the ramp. */
export const inRamp = (perSecond: number, rampSeconds: number): number => Math.round((perSecond * rampSeconds) / 2);

export function createPace(options: PaceOptions): Pace {
  const { perSecond, rampSeconds, total } = options;
  const ramp = inRamp(perSecond, rampSeconds);
  // Use each connection often enough that the server does not hang up.
  const connections = Math.max(1, Math.min(options.connectionsMax, Math.floor(perSecond)));
  const numbers = new Float64Array(connections);
  const sentAts = new Float64Array(connections);
  // In turn, as a real fleet reaches every worker alike; taking the last freed would favour one connection.
  const idle = Int32Array.from({ length: connections }, (_, slot) => slot);
  let idleCount = connections;
  let idleFirst = 0;
  let next = 0;
  let startAt = Number.POSITIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;

  let bytes = Buffer.alloc(0);
  let [from, to] = [0, 0];
  // One reused object for all answers: thirty thousand a second would be garbage.
  const answer: Answer = {
    number: 0,
    dueAt: 0,
    sentAt: 0,
    at: 0,
    status: 0,
    body: () => bytes.toString("latin1", from, to),
  };

  const finish = (slot: number, status: number) => {
    answer.number = numbers[slot] as number;
    answer.dueAt = dueAt(answer.number);
    answer.sentAt = sentAts[slot] as number;
    answer.at = performance.now();
    answer.status = status;
    idle[(idleFirst + idleCount++) % connections] = slot;
    options.onAnswer(answer);
    pump(answer.at);
  };

  const events: LaneEvents = {
    onAnswer(slot, status, chunk, bodyFrom, bodyTo) {
      bytes = chunk as Buffer<ArrayBuffer>;
      from = bodyFrom;
      to = bodyTo;
      finish(slot, status);
    },
    onBroken(slot) {
      from = to;
      finish(slot, 0);
    },
  };
  let lane: Lane | undefined;

  const dueAt = (number: number) =>
    number < ramp
      ? startAt + 1000 * rampSeconds * Math.sqrt(number / ramp)
      : startAt + 1000 * (rampSeconds + (number - ramp) / perSecond);

  const dueBy = (now: number) => {
    const seconds = (now - startAt) / 1000;
    if (seconds < 0) return 0;
    const due =
      seconds < rampSeconds ? ramp * (seconds / rampSeconds) ** 2 : ramp + perSecond * (seconds - rampSeconds);
    return Math.min(total, Math.floor(due) + 1);
  };

  const pump = (now: number) => {
    const due = dueBy(now);
    while (next < due && idleCount > 0) {
      const number = next++;
      const request = options.make(number, now);
      if (request === undefined) continue;
      const slot = idle[idleFirst] as number;
      idleFirst = (idleFirst + 1) % connections;
      idleCount--;
      numbers[slot] = number;
      sentAts[slot] = now;
      lane?.send(slot, request);
    }
  };

  return {
    start(at) {
      startAt = at;
      lane = openLane(options.target, connections, events);
      timer = setInterval(() => pump(performance.now()), TICK_MS);
    },
    waiting: () => Math.max(0, dueBy(performance.now()) - next),
    isDone: () => next >= total && idleCount === connections,
    close() {
      clearInterval(timer);
      lane?.close();
    },
  };
}
