/**
 * However a benchmark ends (Ctrl-C, an error, a closed output pipe), stops what it started and removes what it wrote.
 */
export interface Teardown {
  /** Fires when the benchmark is interrupted. */
  signal: AbortSignal;
  /** Call it at once for anything that is started. Throws when nothing may be started any more. */
  add(step: () => unknown): void;
}

/** Runs a benchmark, then takes down what it set up in reverse order, and ends the process. */
export async function runBenchmark(run: (teardown: Teardown) => Promise<void>): Promise<void> {
  const steps: Array<() => unknown> = [];
  const controller = new AbortController();
  const teardown: Teardown = {
    signal: controller.signal,
    add(step) {
      controller.signal.throwIfAborted();
      steps.push(step);
    },
  };
  try {
    await Promise.race([run(teardown), broken()]);
  } catch (error) {
    const interrupted = error instanceof Interrupted;
    process.exitCode = interrupted ? 130 : 1;
    console.error(interrupted ? "\ninterrupted, cleaning up …" : error);
  }
  controller.abort();
  for (const step of steps.reverse()) {
    await Promise.resolve()
      .then(step)
      .catch((error) => console.error(error));
  }
  process.exit();
}

class Interrupted extends Error {}

/** Rejects on an interrupt or an unhandled error. */
function broken(): Promise<never> {
  return new Promise((_, reject) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => reject(new Interrupted()));
    process.on("uncaughtException", reject);
    process.on("unhandledRejection", reject);
  });
}
