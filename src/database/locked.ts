import { AppError, OperatorError } from "../errors.ts";
import type { Logger } from "../log.ts";

const WAIT_MS_MAX = 10_000;
const AGAIN_MS = 200;

/**
 * Work that a starting process must do, retried for 10 s while somebody else's transaction holds the lock it needs; the
 * log says what it waits for. Throws an OperatorError in the end.
 */
export async function untilFree<T>(log: Logger, what: string, run: () => Promise<T>): Promise<T> {
  const giveUpAt = performance.now() + WAIT_MS_MAX;
  for (let said = false; ; said = true) {
    try {
      return await run();
    } catch (error) {
      if (!isLocked(error)) throw error;
      if (performance.now() > giveUpAt) {
        throw new OperatorError(
          `${what} could not be had: another transaction holds its lock (scripts/monitor/locks.sql shows whose)`,
        );
      }
      if (!said)
        log.warn({ waiting_for: what }, "another transaction holds a lock that this start needs, waiting for it");
      await new Promise((done) => setTimeout(done, AGAIN_MS));
    }
  }
}

/** Whether an error means that a lock could not be had in time. */
export function isLocked(error: unknown): boolean {
  const cause = error instanceof AppError ? error.cause : undefined;
  return (cause as { code?: unknown } | undefined)?.code === "55P03";
}
