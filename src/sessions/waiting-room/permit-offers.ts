/**
 * Tells a request that waits for a permit that one is offered to it, in whatever process it was given back: at once when
 * PostgreSQL says so, and when something may have been missed. The request then asks for itself.
 */
import type { Listener } from "../../database/listener.ts";

export interface PermitOffers {
  /** `next` resolves when that permit is offered, when the time is over, or when `gone`. */
  await(permitId: string): { next(ms: number, gone?: AbortSignal): Promise<void>; stop(): void };
}

export function openPermitOffers(listener: Listener): PermitOffers {
  const offers = new Map<string, () => void>();
  listener.on("keybeat_room", {
    hear: (payload) => offers.get(payload.slice("permit ".length))?.(),
    onDoubt() {
      for (const offered of offers.values()) offered();
    },
  });
  return {
    await(permitId) {
      let offered = false;
      let wake = () => {};
      offers.set(permitId, () => {
        offered = true;
        wake();
      });
      return {
        async next(ms, gone) {
          if (!offered && !gone?.aborted) {
            await within(ms, gone, (resolve) => {
              wake = resolve;
            });
          }
          offered = false;
        },
        stop: () => offers.delete(permitId),
      };
    },
  };
}

/** Resolves when woken, after `ms`, or when the caller is gone. */
async function within(ms: number, gone: AbortSignal | undefined, onWait: (wake: () => void) => void): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer);
      gone?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    gone?.addEventListener("abort", done);
    onWait(done);
  });
}
