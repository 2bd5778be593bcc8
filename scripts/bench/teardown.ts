/**
 * Whatever ends a benchmark (Ctrl-C, a fault of its own, a reader of its output that goes away), what it started is
 * stopped and what it wrote is removed.
 */
export interface Teardown {
  /** Comes when the benchmark is broken off. */
  signal: AbortSignal;
  /** To be called with whatever is started, in the same breath. Throws when nothing may be started any more. */
  add(step: () => unknown): void;
}

/** Runs a benchmark, then takes down what it set up, the last thing first, and ends the process. */
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

/** Rejects when somebody interrupts, or on an error that nobody handles. */
function broken(): Promise<never> {
  return new Promise((_, reject) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => reject(new Interrupted()));
    process.on("uncaughtException", reject);
    process.on("unhandledRejection", reject);
  });
}
