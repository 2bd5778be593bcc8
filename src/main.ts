/**
 * Composition root: config -> database -> app -> jobs -> listen, and back again in the other order on SIGTERM.
 *
 * With WORKERS over 1 this process keeps the database and the jobs, and its workers answer (see workers.ts).
 */
import { createApp } from "./app.ts";
import type { Config } from "./config.ts";
import { chooseDatabase } from "./database/choose.ts";
import { type Database, openDatabase } from "./database/database.ts";
import { openListener } from "./database/listener.ts";
import { migrateDatabase } from "./database/migrate.ts";
import { setSessionTimeout } from "./database/service-state.ts";
import { startTicking } from "./database/tick.ts";
import { createEndings, type Endings } from "./events/endings.ts";
import { createEventStreams } from "./events/sse.ts";
import { welcome } from "./first-run.ts";
import { type HttpServer, listen } from "./http/server.ts";
import { createUserAuth } from "./http/user-auth.ts";
import { runCleanup } from "./jobs/cleanup.ts";
import { scheduleJobs } from "./jobs/schedule.ts";
import { createHashKey } from "./keys/index.ts";
import type { Logger } from "./log.ts";
import { type Ending, lookForEndings } from "./sessions/device/index.ts";
import { configureRoom, openRoomEvents, type RoomEvents } from "./sessions/waiting-room/index.ts";
import { readVersion } from "./version.ts";
import { isWorker, reportListening, startWorkers } from "./workers.ts";

const DRAIN_MS = 6_000;
const CLEANUP_BUDGET_MS = 20_000;

export interface Service {
  url: string;
  /** Answers what is under way, refuses the rest, closes the database. Takes under 10 s; calling it again waits too. */
  stop(): Promise<void>;
}

/** Starts the whole service. Throws an OperatorError, a line for a person, if something stands in the way. */
export async function serve(config: Config, log: Logger, print: (line: string) => void): Promise<Service> {
  const worker = isWorker();
  const chosen = await chooseDatabase(config, "serve", log);
  const undo: Array<() => Promise<void>> = [chosen.stop];
  try {
    if (!worker) await migrateDatabase(chosen.url);
    const database = openDatabase(chosen.url);
    undo.push(database.close);
    if (!worker) await settle(config, database, log);

    const hashKey = createHashKey(config.keyPepper);
    const greeting = worker ? undefined : await welcome(config, chosen, database, hashKey);
    const adminToken = config.adminToken ?? greeting?.adminToken;
    const cleanUp = (asked: boolean) =>
      runCleanup(database, log, {
        historyRetentionDays: config.historyRetentionDays,
        budgetMs: CLEANUP_BUDGET_MS,
        asked,
      });

    let server: HttpServer;
    if (config.workers > 1 && !worker) {
      server = await startWorkers(config.workers, { databaseUrl: chosen.url, adminToken, host: config.host }, log);
    } else {
      const ticking = await startTicking(database, log);
      undo.push(async () => ticking.stop());
      const endings = openEndings(database, chosen.url, log);
      undo.push(endings.close);
      const roomEvents = openRoom(config, database, chosen.url, log);
      undo.push(roomEvents.close);
      const streams = createEventStreams();
      const app = createApp({
        ...{ database, endings, streams, hashKey, heartbeatSeconds: config.heartbeatSeconds, adminToken, log },
        ...{ roomEvents, userAuth: createUserAuth(config.userAuth) },
        cleanUp: () => cleanUp(true),
        version: readVersion(),
      });
      const listening = await listen(app, config, log);
      server = {
        url: listening.url,
        // Streams never end by themselves; and none may be opened between their end and that of the server.
        drain: async (deadlineMs) => {
          const drained = listening.drain(deadlineMs);
          await streams.close();
          await drained;
        },
      };
    }
    undo.push(() => server.drain(DRAIN_MS));

    if (config.cleanupCron !== undefined && !worker) {
      const jobs = scheduleJobs([{ name: "cleanup", line: config.cleanupCron, run: () => cleanUp(false) }], log);
      undo.push(jobs.stop);
    }
    if (worker) reportListening(server.url);
    else for (const line of greeting?.lines(server.url) ?? []) print(line);
    return { url: server.url, stop: once(() => unwind(undo, log)) };
  } catch (error) {
    await unwind(undo, log);
    throw error;
  }
}

function openEndings(database: Database, url: string, log: Logger): Endings<Ending> {
  return createEndings({
    look: (sessionIds) => lookForEndings(database, sessionIds),
    listen: (on) => openListener(url, "keybeat_ending", on, log),
    log,
  });
}

function openRoom(config: Config, database: Database, url: string, log: Logger): RoomEvents {
  return openRoomEvents({
    ...{ database, log, waiterSeconds: config.waitingRoom.waiterSeconds },
    listen: (on) => openListener(url, "keybeat_room", on, log),
  });
}

async function settle(config: Config, database: Database, log: Logger): Promise<void> {
  const before = await setSessionTimeout(database, config.sessionTimeoutSeconds);
  if (before !== undefined) {
    log.info({ before, now: config.sessionTimeoutSeconds }, "the session timeout of this installation has changed");
  }
  await configureRoom(database, config.waitingRoom);
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
