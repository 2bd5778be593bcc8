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
  process.send?.({ listening: url } satisfies Report);
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
  const start = (): Worker => {
    const worker = cluster.fork(shared);
    let reason: string | undefined;
    worker.on("message", (report: Report) => {
      if ("listening" in report) pauseMs = RESTART_MS;
      else if ("failed" in report) reason = report.failed;
    });
    worker.once("exit", (code, signal) => {
      if (stopping || !ready) return;
      log.error({ worker: worker.id, code, signal, reason, pause_ms: pauseMs }, "a worker died, starting another");
      setTimeout(() => !stopping && start(), pauseMs);
      pauseMs = Math.min(pauseMs * 2, RESTART_MS_MAX);
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
    const urls = await Promise.all(Array.from({ length: count }, () => listening(start())));
    ready = true;
    return { url: urls[0] as string, drain };
  } catch (error) {
    await drain(0);
    throw error;
  }
}

/** Where the worker listens. Rejects with its reason if it cannot start. */
function listening(worker: Worker): Promise<string> {
  return new Promise((resolve, reject) => {
    worker.on("message", (report: Report) => {
      if ("listening" in report) resolve(report.listening);
      else if ("failed" in report) reject(new OperatorError(report.failed));
    });
    worker.once("exit", (code, signal) => reject(new OperatorError(`a worker did not start (${signal ?? code})`)));
  });
}
