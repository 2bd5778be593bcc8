/** How a command handles Ctrl-C and the like: it stops its work, cleans up and ends. */
import { constants } from "node:os";

/** Why a command ended early; its exit code is that of a process killed by the signal. */
export class Stopped extends Error {
  readonly exitCode: number;

  constructor(signal: NodeJS.Signals) {
    super(`stopped by ${signal}`);
    this.exitCode = 128 + constants.signals[signal];
  }
}

/** SIGHUP, and on Windows SIGBREAK: the terminal was closed. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"] as const;
/** The time to clean up; PostgreSQL, once told to stop, finishes by itself. */
const STOP_MS = 1800;

export interface Stopping {
  /** Aborts at the first signal, with a `Stopped` as its reason. */
  stop: AbortSignal;
  /** From here on the first signal only aborts, and listeners take the time they need. */
  release(): void;
}

/** Ends the process in time after the first signal, whatever hangs, and at once after the second. */
export function stopAtSignal(): Stopping {
  const controller = new AbortController();
  let hurried = true;
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      const reason = new Stopped(signal);
      if (hurried && controller.signal.aborted) process.exit(reason.exitCode);
      controller.abort(reason);
      if (hurried) setTimeout(() => process.exit(reason.exitCode), STOP_MS).unref();
    });
  }
  return {
    stop: controller.signal,
    release() {
      hurried = false;
    },
  };
}
