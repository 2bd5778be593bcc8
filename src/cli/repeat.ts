import { setTimeout as sleep } from "node:timers/promises";

/** Looks again and again until stopped; does not wait for a look under way then. */
export async function repeat(everyMs: number, stop: AbortSignal, look: () => Promise<void>): Promise<void> {
  const stopped = new Promise<void>((resolve) => stop.addEventListener("abort", () => resolve()));
  while (!stop.aborted) {
    const dueAt = performance.now() + everyMs;
    await Promise.race([look(), stopped]);
    if (stop.aborted) return;
    await sleep(Math.max(0, dueAt - performance.now()), undefined, { signal: stop }).catch(() => {});
  }
}
