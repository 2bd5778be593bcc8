/** What runs every so many milliseconds in each process that answers: too often for a cron line, and little work. */
import type { Logger } from "../log.ts";

export interface Clock {
  name: string;
  everyMs: number;
  run(): Promise<unknown>;
}

/** A failing run is forgotten: the next one comes at once. Returns what stops them. */
export function startClocks(clocks: Clock[], log: Logger): () => void {
  const timers = clocks.map(({ name, everyMs, run }) =>
    setInterval(() => {
      run().catch((err) => log.debug({ err, clock: name }, "it failed, and will be done again"));
    }, everyMs).unref(),
  );
  return () => {
    for (const timer of timers) clearInterval(timer);
  };
}
