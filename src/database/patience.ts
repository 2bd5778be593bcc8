/** How a start waits: for a bounded time, saying what it waits for, and stoppable at any moment. */
import { setTimeout as sleep } from "node:timers/promises";

export interface Patience {
  /** How long the database may be away. */
  awayMs: number;
  /** Tells a person, in one line. */
  say(line: string): void;
  stop: AbortSignal;
}

/** Waits for nothing, and says nothing. */
export const NO_PATIENCE: Patience = { awayMs: 0, say: () => {}, stop: new AbortController().signal };

const SAY_AGAIN_MS = 10_000;

/** Says a new line at once, and the same line again every 10 s. */
export function sayNowAndThen(say: (line: string) => void): (what: string, details?: string) => void {
  let last = "";
  let saidAt = 0;
  return (what, details = "") => {
    if (what === last && performance.now() - saidAt < SAY_AGAIN_MS) return;
    last = what;
    saidAt = performance.now();
    say(what + details);
  };
}

const SLOW_MS = 5000;

/** Says the line if the work takes long, and again every 10 s. */
export async function sayIfSlow<T>(work: Promise<T>, { say }: Patience, line: string): Promise<T> {
  const tell = sayNowAndThen(say);
  const timer = setInterval(() => tell(line), SLOW_MS);
  return work.finally(() => clearInterval(timer));
}

/** Rejects as soon as it is stopped; the work itself goes on unattended. */
export async function untilStopped<T>(work: Promise<T>, stop: AbortSignal): Promise<T> {
  stop.throwIfAborted();
  let quit = () => {};
  const stopped = new Promise<never>((_, reject) => {
    quit = () => reject(stop.reason);
    stop.addEventListener("abort", quit);
  });
  try {
    return await Promise.race([work, stopped]);
  } finally {
    stop.removeEventListener("abort", quit);
    work.catch(() => {});
  }
}

/** Rejects as soon as it is stopped. */
export async function pause(ms: number, stop: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal: stop }).catch(() => stop.throwIfAborted());
}
