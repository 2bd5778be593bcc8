/** What runs every so many milliseconds in each process that answers: too often for a cron line, and little work. */
import type { Logger } from "../log.ts";

export interface Clock {
  name: string;
  everyMs: number;
  run(): Promise<unknown>;
}

/** A run that is still under way is not begun again, and one that failed is forgotten. Returns what stops them. */
export function startClocks(clocks: Clock[], log: Logger): () => void {
  const timers = clocks.map(({ name, everyMs, run }) => {
    let underWay = false;
    return setInterval(() => {
      if (underWay) return;
      underWay = true;
      run()
        .catch((err) => log.debug({ err, clock: name }, "it failed, and will be done again"))
        .finally(() => {
          underWay = false;
        });
    }, everyMs).unref();
  });
  return () => {
    for (const timer of timers) clearInterval(timer);
  };
}
