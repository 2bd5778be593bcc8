import { newSessionId } from "../platform.ts";

/**
 * An id that no other process draws, not even the twin of a cloned machine, whose random number generator is cloned, too:
 * a clock that no two machines share to the nanosecond is mixed in.
 */
export const drawId = (): string =>
  [newSessionId(), Math.round(performance.now() * 1e6).toString(36), Date.now().toString(36)].join("-");
