/** Small recurring work of each serving process, more frequent than a cron line allows. */
import type { Logger } from "../log.ts";

export interface Clock {
  name: string;
  everyMs: number;
  run(): Promise<unknown>;
}

/** Never overlaps a run with the next; a failed run is forgotten. Returns a function that stops them all. */
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
