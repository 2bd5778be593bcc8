/**
 * Several processes on one port (node:cluster). The primary keeps the database and the jobs and answers nothing; each
 * worker is a whole service without those. A worker that dies is restarted without touching the others.
 */
import cluster, { type Worker } from "node:cluster";
import { setTimeout as sleep } from "node:timers/promises";
import { OperatorError } from "./errors.ts";
import type { HttpServer } from "./http/server.ts";
import type { Logger } from "./log.ts";

const RESTART_MS = 500;
/** For workers that die before they listen (the database is away): each try costs half a second of CPU. */
const RESTART_MS_MAX = 10_000;

/**
 * V8 would run a garbage-collection thread per core in each worker, and they contend. (Measured on 2 cores: a fifth to
 * a quarter less CPU a heartbeat, with one process or two, and a p99 a third lower.)
 */
const COLLECT_ALONE = "--single-threaded-gc";

type Report = { listening: string } | { failed: string };

export const isWorker = (): boolean => cluster.isWorker;

/** A worker tells the primary where it listens. */
export function reportListening(url: string): void {
  process.send?.({ listening: url } satisfies Report, () => {}); // a dead primary is handled elsewhere
}

/** Tells the primary, which reports for all workers, why this one cannot start, and exits. */
export function reportFailure(error: Error): void {
  const { message } = error.cause instanceof Error ? error.cause : error;
  process.send?.({ failed: message } satisfies Report, () => process.exit(1));
}

/** `shared`: environment common to all workers. */
export async function startWorkers(count: number, shared: Record<string, string>, log: Logger): Promise<HttpServer> {
  let stopping = false;
  // The kernel hands each connection to a worker that accepts it. If the primary handed them out, a connection given to
  // a worker killed at that moment would be neither answered nor closed.
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  cluster.setupPrimary({ execArgv: [...new Set([...process.execArgv, COLLECT_ALONE])] });
  let ready = false;
  let pauseMs = RESTART_MS;
  let listens: (url: string) => void = () => {};
  const firstListens = new Promise<string>((resolve) => {
    listens = resolve;
  });
  const startAgain = (what: string, why: object) => {
    if (stopping) return;
    log.error({ ...why, pause_ms: pauseMs }, what);
    setTimeout(() => !stopping && start(), pauseMs);
    pauseMs = Math.min(pauseMs * 2, RESTART_MS_MAX);
  };
  /** Undefined: the fork failed and will be retried. */
  const start = (): Worker | undefined => {
    const worker = fork(shared, ({ code, message }) =>
      startAgain("a worker cannot be forked, trying again", { code, reason: message }),
    );
    let reason: string | undefined;
    worker?.on("message", (report: Report) => {
      if ("failed" in report) reason = report.failed;
      if (!("listening" in report)) return;
      pauseMs = RESTART_MS;
      listens(report.listening);
      if (ready) log.info({ worker: worker.id }, "the other worker listens");
    });
    worker?.once("exit", (code, signal) => {
      if (ready) startAgain("a worker died, starting another", { worker: worker.id, code, signal, reason });
    });
    return worker;
  };
  const drain = async (deadlineMs: number) => {
    stopping = true;
    const workers = Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
    const gone = workers.map((worker) => new Promise((resolve) => worker.once("exit", resolve)));
    for (const worker of workers) worker.process.kill("SIGTERM");
    await Promise.race([Promise.all(gone), sleep(deadlineMs + 2_000, undefined, { ref: false })]);
    for (const worker of workers) if (!worker.isDead()) worker.process.kill("SIGKILL");
  };

  try {
    await Promise.all(Array.from({ length: count }, () => listening(start())));
    ready = true;
    return { url: await firstListens, drain };
  } catch (error) {
    await drain(0);
    throw error;
  }
}

/**
 * Undefined if the fork failed: out of descriptors, processes or memory. Node throws some of these and reports others
 * as an error event of a worker that then never exits; `onFailure` is called for both.
 */
function fork(env: object, onFailure: (error: NodeJS.ErrnoException) => void): Worker | undefined {
  try {
    const worker = cluster.fork(env);
    const wasMade = worker.process.pid !== undefined;
    // An error of a running worker concerns its channel; its exit tells the rest.
    worker.on("error", (error) => !wasMade && onFailure(error));
    if (wasMade) return worker;
    delete cluster.workers?.[worker.id];
  } catch (error) {
    onFailure(error as NodeJS.ErrnoException);
  }
  return undefined;
}

/** Resolves when the worker listens, or if the fork failed. Rejects with the worker's reason if it cannot start. */
function listening(worker: Worker | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (worker === undefined) return resolve();
    worker.on("message", (report: Report) => {
      if ("listening" in report) resolve();
      else if ("failed" in report) reject(new OperatorError(report.failed));
    });
    worker.once("exit", (code, signal) => reject(new OperatorError(`a worker did not start (${signal ?? code})`)));
  });
}
