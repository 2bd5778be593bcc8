/** What a command does at Ctrl-C and the like: it stops what it is at, puts away what it has begun, and ends. */
import { constants } from "node:os";

/** Why a command ended before it was done; its exit code is the one of whoever dies of that signal. */
export class Stopped extends Error {
  readonly exitCode: number;

  constructor(signal: NodeJS.Signals) {
    super(`stopped by ${signal}`);
    this.exitCode = 128 + constants.signals[signal];
  }
}

/** SIGHUP, and on Windows SIGBREAK: the terminal was closed. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"] as const;
/** So long it may take to put things away; PostgreSQL, once told to stop, goes on with that by itself. */
const STOP_MS = 1800;

export interface Stopping {
  /** Aborts at the first signal, with a `Stopped` as its reason. */
  stop: AbortSignal;
  /** From here on the first signal only aborts, and whoever listens takes the time that it needs. */
  release(): void;
}

/** The process ends in time after the first signal whatever hangs, and at once at the second. */
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
