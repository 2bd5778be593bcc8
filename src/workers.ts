/**
 * Several processes on one port (node:cluster). The primary keeps the database and the jobs and answers nothing; each
 * worker is a whole service without these. A worker that dies is started again, without touching the others.
 */
import cluster, { type Worker } from "node:cluster";
import { setTimeout as sleep } from "node:timers/promises";
import { OperatorError } from "./errors.ts";
import type { HttpServer } from "./http/server.ts";
import type { Logger } from "./log.ts";

const RESTART_MS = 500;
/** For workers that do not even come to listen, the database being away: each try costs half a second of a core. */
const RESTART_MS_MAX = 10_000;

/**
 * V8 would collect garbage with a thread for each core, and there is a worker on each: they get in each other's way.
 * (Measured on 2 cores: a fifth to a quarter less CPU a heartbeat, one process or two, and a p99 a third lower.)
 */
const COLLECT_ALONE = "--single-threaded-gc";

type Report = { listening: string } | { failed: string };

export const isWorker = (): boolean => cluster.isWorker;

/** A worker tells the primary where it listens. */
export function reportListening(url: string): void {
  process.send?.({ listening: url } satisfies Report, () => {}); // a primary that is gone is told of elsewhere
}

/** A worker tells the primary, who speaks for all, why it cannot start, and goes. */
export function reportFailure(error: Error): void {
  const { message } = error.cause instanceof Error ? error.cause : error;
  process.send?.({ failed: message } satisfies Report, () => process.exit(1));
}

/** `shared`: what is the same for all of them, as environment. */
export async function startWorkers(count: number, shared: Record<string, string>, log: Logger): Promise<HttpServer> {
  let stopping = false;
  // The kernel gives a connection to a worker that takes it. Where the primary hands them on, one that it gives to a worker
  // killed in that moment is never answered, nor cut.
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
  /** Undefined: it could not be made, and is tried again. */
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
 * Undefined where there could be none: no descriptor, no process, no memory is left. Node throws some of these and tells
 * others as an error of the worker, which then never exits; `onFailure` is called for both.
 */
function fork(env: object, onFailure: (error: NodeJS.ErrnoException) => void): Worker | undefined {
  try {
    const worker = cluster.fork(env);
    const wasMade = worker.process.pid !== undefined;
    // That of a running one is of its channel; its exit says the rest.
    worker.on("error", (error) => !wasMade && onFailure(error));
    if (wasMade) return worker;
    delete cluster.workers?.[worker.id];
  } catch (error) {
    onFailure(error as NodeJS.ErrnoException);
  }
  return undefined;
}

/** Resolves when the worker listens, or there is none yet. Rejects with its reason if it cannot start. */
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
