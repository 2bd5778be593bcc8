/**
 * Looks at what may have changed, whenever it is said to have: one look at a time, and one more for everything that was
 * said meanwhile. A notification can be lost, so there is a round by the clock too, oftener while the LISTEN connection
 * is in doubt; and a look that failed is made again.
 */
import type { Listener } from "../database/listener.ts";
import type { Logger } from "../log.ts";

const TICK_MS = 250;
const AGAIN_MS = 250;

export interface Looks {
  /** Looks at once, or as soon as the look that is under way is over. */
  want(): void;
  close(): void;
}

export function createLooks(rules: {
  look(): Promise<void>;
  /** Is called when a round is due, and wants what there is to look at. */
  onRound(): void;
  roundMs: number;
  roundMsInDoubt: number;
  /** The rest after a look that took so long, before the next; undefined: none. */
  restMs?(tookMs: number): number;
  listener: Listener;
  log: Logger;
}): Looks {
  let wanted = false;
  let looking = false;

  const run = async () => {
    looking = true;
    while (wanted) {
      wanted = false;
      const began = performance.now();
      let pauseMs = 0;
      try {
        await rules.look();
      } catch (err) {
        rules.log.debug({ err }, "could not look what has changed, will look again");
        wanted = true;
        pauseMs = AGAIN_MS;
      }
      pauseMs = Math.max(pauseMs, rules.restMs?.(performance.now() - began) ?? 0);
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs).unref());
    }
    looking = false;
  };

  let roundAt = performance.now();
  const timer = setInterval(() => {
    const roundMs = rules.listener.proven() ? rules.roundMs : rules.roundMsInDoubt;
    if (performance.now() - roundAt < roundMs - 50) return;
    roundAt = performance.now();
    rules.onRound();
  }, TICK_MS);
  timer.unref();

  return {
    want() {
      wanted = true;
      if (!looking) void run();
    },
    close: () => clearInterval(timer),
  };
}
