/**
 * Time that passes only when the test says so. Three clocks, in ms: the true time (the scenario's), the device's
 * monotonic clock, which may stand while it sleeps, and its wall clock, which may be set. Timers fire by the monotonic
 * one, and only while the device is awake.
 */
import type { Clock, Timers } from "../../../src/client/index.ts";
import { isCryptoPending } from "./pending-crypto.ts";
// The client loads it on demand, which takes true time only once.
import "../../../src/client/trust/index.ts";

interface Due {
  at: number;
  order: number;
  run: () => void;
}

export class VirtualTime {
  /** The true time. */
  now = 0;
  #monotonic = 1_000_000;
  #wallOffset = Date.UTC(2030, 0, 1);
  #order = 0;
  /** What happens outside of the device, by true time, and the device's timers, by its monotonic clock. */
  readonly #world = new Set<Due>();
  readonly #timers = new Set<Due>();

  readonly clock: Clock = { now: () => this.#monotonic, wall: () => this.#wallOffset + this.now };

  readonly timers: Timers = {
    setTimeout: (run, ms) => {
      const due = { at: this.#monotonic + Math.max(ms, 0), order: this.#order++, run };
      this.#timers.add(due);
      return due;
    },
    clearTimeout: (due) => void this.#timers.delete(due as Due),
  };

  /** Something outside of the device happens at that true time. */
  at(trueTime: number, run: () => void): void {
    this.#world.add({ at: Math.max(trueTime, this.now), order: this.#order++, run });
  }

  setWallClock(byMs: number): void {
    this.#wallOffset += byMs;
  }

  /** The device sleeps: nothing of it runs. Its overdue timers fire when it wakes. */
  sleep(ms: number, monotonic: "runs" | "stands"): void {
    this.now += ms;
    if (monotonic === "runs") this.#monotonic += ms;
  }

  /** A killed process has no timers. */
  clearTimers(): void {
    this.#timers.clear();
  }

  /** Lets time pass up to that true time, everything in its order. */
  async runUntil(trueTime: number): Promise<void> {
    for (;;) {
      await settle();
      const world = first(this.#world);
      const timer = first(this.#timers);
      const timerAt = timer ? this.now + Math.max(timer.at - this.#monotonic, 0) : Number.POSITIVE_INFINITY;
      const worldAt = world ? Math.max(world.at, this.now) : Number.POSITIVE_INFINITY;
      const next = Math.min(timerAt, worldAt);
      if (next > trueTime) break;
      this.#monotonic += next - this.now;
      this.now = next;
      const due = worldAt <= timerAt ? world : timer;
      this.#world.delete(due as Due);
      this.#timers.delete(due as Due);
      due?.run();
    }
    this.#monotonic += Math.max(trueTime - this.now, 0);
    this.now = Math.max(trueTime, this.now);
  }
}

/** Until every promise that can go on without time has gone on. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn = isCryptoPending() ? 0 : turn + 1) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function first(dues: Set<Due>): Due | undefined {
  let found: Due | undefined;
  for (const due of dues) {
    if (!found || due.at < found.at || (due.at === found.at && due.order < found.order)) found = due;
  }
  return found;
}
