/**
 * Composition root: config -> database -> app -> jobs -> listen, and in reverse on SIGTERM.
 *
 * With WORKERS over 1 this process keeps the database and the jobs; its workers answer (see workers.ts).
 */
import { setTimeout as sleep } from "node:timers/promises";
import { commandLine } from "./command-line.ts";
import { compose } from "./compose.ts";
import type { Config } from "./config.ts";
import { chooseDatabase } from "./database/choose.ts";
import { findWay } from "./database/connections.ts";
import { openDatabase } from "./database/database.ts";
import { untilFree } from "./database/locked.ts";
import { migrateDatabase } from "./database/migrate.ts";
import { type Patience, untilStopped } from "./database/patience.ts";
import { startTicking } from "./database/tick.ts";
import { welcome } from "./first-run.ts";
import { type HttpServer, listen } from "./http/server.ts";
import { runCleanup } from "./jobs/cleanup.ts";
import { scheduleJobs } from "./jobs/schedule.ts";
import { createHashKey, expectPepper } from "./keys/index.ts";
import type { Logger } from "./log.ts";
import { answerScrapes, scrapeThroughPrimary } from "./metrics/across-workers.ts";
import { countCleanup, createCounts } from "./metrics/counts.ts";
import { createMetrics, writeText } from "./metrics/metrics.ts";
import { createPopulationReader } from "./metrics/population.ts";
import { createShortageReport, findFileShortage } from "./open-files.ts";
import { passSecrets } from "./secrets.ts";
import { KINDS, openKinds } from "./sessions/kinds.ts";
import { startTracing } from "./tracing/start.ts";
import { readVersion } from "./version.ts";
import { isWorker, reportListening, startWorkers } from "./workers.ts";

const DRAIN_MS = 5_500;
const CLEANUP_BUDGET_MS = 20_000;

export interface Service {
  url: string;
  /** Answers new requests for a moment and finishes those in flight, in under 10 s. A second call waits too. */
  stop(): Promise<void>;
}

/**
 * Starts the whole service. Throws an OperatorError (one line for a person) if it cannot, or the reason that `patience`
 * was stopped with; either way nothing is left running.
 */
export async function serve(
  config: Config,
  log: Logger,
  print: (line: string) => void,
  patience: Patience,
): Promise<Service> {
  const worker = isWorker();
  const chosen = await chooseDatabase(config, "serve", log, patience);
  const undo: Array<() => Promise<void>> = [chosen.stop];
  const start = async (): Promise<Service> => {
    if (!worker) await prepareDatabase(chosen.url, patience, log);
    const tracing = await startTracing(config.traceExporter, readVersion(), log);
    if (tracing) undo.push(tracing.close);
    const database = openDatabase(chosen.url, tracing);
    undo.push(database.close);
    const counts = createCounts();
    const kinds = openKinds(KINDS, config.kinds, { database, counts, log });
    if (!worker) {
      await untilFree(log, "the mark of the pepper", () => expectPepper(database, config.keyPepper));
      for (const kind of kinds) await kind.settle?.();
    }

    const hashKey = createHashKey(config.keyPepper);
    const greeting = worker ? undefined : await welcome(config, chosen, database, hashKey);
    const adminToken = config.adminToken ?? greeting?.adminToken;
    const jwtSecret = greeting?.jwtSecret;
    const made = jwtSecret === undefined ? undefined : { secret: jwtSecret, ...config.userTokenRules };
    const userTokens = config.userTokens ?? made;
    const { historyRetentionDays } = config;
    const cleanUp = (asked: boolean) =>
      countCleanup(counts, () =>
        runCleanup(kinds, database, log, { historyRetentionDays, budgetMs: CLEANUP_BUDGET_MS, asked }),
      );
    let watchers = () => 0;
    const collect = createMetrics({
      counts,
      kinds,
      lanes: database.counts,
      version: readVersion(),
      watchers: () => watchers(),
      population: worker ? undefined : createPopulationReader(database, kinds),
    });

    let server: HttpServer;
    if (config.workers > 1 && !worker) {
      const stopAnswering = answerScrapes(collect, log);
      undo.push(async () => stopAnswering());
      const { JWT_SECRET = jwtSecret } = config.secrets;
      const own = { DATABASE_URL: chosen.url, ADMIN_TOKEN: adminToken, JWT_SECRET };
      const secrets = passSecrets({ ...config.secrets, ...own });
      server = await startWorkers(config.workers, { ...secrets, HOST: config.host }, log);
    } else {
      let isFull = () => false;
      let draining = false;
      const reportShortage = createShortageReport(log);
      const ticking = await startTicking(database, log, () => reportShortage(findFileShortage()) || isFull());
      undo.push(async () => ticking.stop());
      const composition = compose(
        { ...config, userTokens },
        {
          kinds,
          database,
          url: chosen.url,
          hashKey,
          adminToken,
          counts,
          cleanUp: () => cleanUp(true),
          isDraining: () => draining,
          scrape: worker ? scrapeThroughPrimary(collect, log) : async () => writeText([await collect()]),
          tracing,
          log,
        },
      );
      undo.push(composition.close);
      const { app, streams } = composition;
      watchers = streams.size;
      const listening = await listen(app, config, log);
      isFull = listening.isFull;
      server = {
        url: listening.url,
        drain: (deadlineMs) => {
          draining = true;
          return listening.drain(deadlineMs, streams.close); // event streams never end by themselves
        },
      };
    }
    let stopJobs = async () => {};
    // Immediately: a cleanup in progress must not delay the signal to balancers.
    undo.push(async () => {
      const late = sleep(DRAIN_MS, undefined, { ref: false });
      await Promise.all([server.drain(DRAIN_MS), Promise.race([stopJobs(), late])]);
    });

    if (config.cleanupCron !== undefined && !worker) {
      stopJobs = scheduleJobs([{ name: "cleanup", line: config.cleanupCron, run: () => cleanUp(false) }], log).stop;
    }
    if (worker) reportListening(server.url);
    else for (const line of greeting?.lines(server.url) ?? []) print(line);
    return { url: server.url, stop: once(() => unwind(undo, log)) };
  };
  try {
    return await untilStopped(start(), patience.stop);
  } catch (error) {
    // A stopped start waits for nothing: a hanging statement must not keep PostgreSQL from being stopped.
    if (patience.stop.aborted) await Promise.all(undo.splice(0).map((step) => unwind([step], log)));
    else await unwind(undo, log);
    throw error;
  }
}

async function prepareDatabase(url: string, patience: Patience, log: Logger): Promise<void> {
  for (const note of findWay(url).destination.notes) log.warn(note);
  const { warnings } = await migrateDatabase(url, patience);
  for (const warning of warnings) log.warn(`${warning}; ${commandLine()} doctor says how to mend it`);
}

async function unwind(undo: Array<() => Promise<void>>, log: Logger): Promise<void> {
  for (const step of undo.splice(0).reverse()) {
    await step().catch((err) => log.error({ err }, "a step of the shutdown failed"));
  }
}

function once(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => {
    running ??= run();
    return running;
  };
}
