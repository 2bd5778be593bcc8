import type { Clock } from "./platform.ts";

/**
 * The clocks are read every 2 s, or every 15 s in a hidden tab, where only the stream's comments still come in time. A
 * nap shorter than this does no harm: the heartbeat that follows is still in time.
 */
const LATE_MS = 20_000;

/** Notices that the device slept, by comparing the clocks with their last reading. */
export class Wakefulness {
  readonly #clock: Clock;
  #now: number;
  #wall: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#now = clock.now();
    this.#wall = clock.wall();
  }

  /**
   * Undefined if it has not slept since the last look. Else how much of the sleep the monotonic clock missed, in ms: 0 if
   * that clock runs on. A wall clock set forward looks like a sleep; one set back like nothing.
   */
  readMissedMs(): number | undefined {
    const now = this.#clock.now();
    const wall = this.#clock.wall();
    const passed = now - this.#now;
    const passedByWall = wall - this.#wall;
    this.#now = now;
    this.#wall = wall;
    return Math.max(passed, passedByWall) < LATE_MS ? undefined : Math.max(passedByWall - passed, 0);
  }
}
