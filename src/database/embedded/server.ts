/** The server process of a cluster: starts, finds and stops it. */
import { readFileSync } from "node:fs";
import { open, readFile, realpath, rename, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { totalmem } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { OperatorError } from "../../errors.ts";
import type { Sql } from "../connections.ts";
import { type Cluster, connectTo, sayWhile } from "./cluster.ts";
import { openPrivateLog } from "./private-files.ts";

const LOG_BYTES_MAX = 10_000_000;
const FOREVER_SECONDS = "1000000";

const SETTINGS = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  max_connections: "200",
  // After each checkpoint the first heartbeat on a page logs the whole page, 8 KiB instead of 200 bytes. So checkpoints
  // are rare, at the price of a longer crash recovery. A gigabyte of log is kept for recycling: a new log file is first
  // filled with zeros, and heartbeats wait for that.
  checkpoint_timeout: "15min",
  max_wal_size: "4GB",
  min_wal_size: "1GB",
  // Session ids are parameters, and an error's details quote the row.
  log_parameter_max_length: "0",
  log_parameter_max_length_on_error: "0",
  log_error_verbosity: "terse",
};

type Setting = [name: string, value: string | number];

interface Mark {
  /** 0: there is none. */
  pid: number;
  port: number;
  isReady: boolean;
}

/**
 * The port of a server that runs in the folder and accepts our password; undefined if there is none. Waits for one that
 * is starting, recovering or stopping: how long that takes depends on how much it has to read or write.
 */
export function runningPort(cluster: Cluster): Promise<number | undefined> {
  const look = async () => {
    for (;;) {
      const { pid, port, isReady } = await readMark(cluster);
      if (pid === 0 || !isAlive(pid)) return undefined;
      if (isReady && port) return (await answers(cluster, port)) ? port : undefined;
      await sleep(100);
    }
  };
  return sayWhile(look(), cluster.say, "the embedded PostgreSQL is starting, recovering or stopping");
}

/** Whether the folder's server runs, starts or stops, according to its pid file. */
export async function isMarked(cluster: Cluster): Promise<boolean> {
  const { pid } = await readMark(cluster);
  return pid > 0 && isAlive(pid);
}

const markOf = (cluster: Cluster) => join(cluster.dir, "postmaster.pid");

async function readMark(cluster: Cluster): Promise<Mark> {
  const lines = (await readFile(markOf(cluster), "utf8").catch(() => "")).split("\n");
  return { pid: Number(lines[0]) || 0, port: Number(lines[3]) || 0, isReady: lines[7]?.trim() === "ready" };
}

/** Whether the folder's server accepts us on that port: in a copied folder the port is another server's. */
export async function answers(cluster: Cluster, port: number): Promise<boolean> {
  const sql = connectTo(cluster, port, "probe");
  try {
    const [row] = await sql`
      SELECT coalesce(current_setting('keybeat.data_folder', true), current_setting('data_directory')) AS dir`;
    return (await realpath(row?.dir)) === cluster.dir;
  } catch {
    return false;
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** Whether an earlier release started it, with more rights and other settings. */
export async function isOutdated(connection: Sql): Promise<boolean> {
  if (process.platform === "win32") return false;
  const [row] = await connection`SELECT current_setting('keybeat.data_folder', true) IS NULL AS yes`;
  return row?.yes;
}

/**
 * An eighth of the memory, up to 1 GiB: a million sessions with their index take half of that, and if they do not fit,
 * every heartbeat waits for the disk. Memory is only taken as it is used.
 */
function sharedBuffersMiB(): number {
  return Math.max(128, Math.min(1024, Math.floor(totalmem() / 8 / 2 ** 20)));
}

/** Starts the server on a free port and returns it. Throws an OperatorError, also if another process is starting it. */
export async function startServer(cluster: Cluster, wanted?: number): Promise<number> {
  const port = wanted ?? (await freePort());
  await forgetDead(cluster);
  const log = await openLog(cluster.logFile);
  const settings = Object.entries({ ...SETTINGS, port, shared_buffers: `${sharedBuffersMiB()}MB` });
  try {
    const starting = process.platform === "win32" ? startByPgCtl(cluster, settings) : launch(cluster, settings, log.fd);
    await sayWhile(starting, cluster.say, "the embedded PostgreSQL is starting or recovering");
    return port;
  } catch (error) {
    const lines = (await readFrom(cluster.logFile, log.begins)).trimEnd().split("\n").filter(Boolean);
    // Clients that connect meanwhile also cause FATAL lines.
    const isCause = (line: string) =>
      /FATAL|PANIC|error while loading/.test(line) && !line.includes("the database system");
    const fatal = lines.find(isCause) ?? lines.at(-1);
    const reason = fatal ?? (error as Error).message;
    throw new OperatorError(`the embedded PostgreSQL did not start: ${reason} (see ${cluster.logFile})`);
  } finally {
    await log.close();
  }
}

/** Outlives this process. Resolves when it accepts clients; throws if it ends before. */
async function launch(cluster: Cluster, settings: Setting[], output: number): Promise<void> {
  const { dir, programs, runAs } = cluster;
  // As root the server's own name for the folder says nothing; this one is for people, and for `answers`.
  const named: Setting[] = [...settings, ["keybeat.data_folder", dir]];
  const args = ["-D", runAs.nameOf(dir), ...named.flatMap(([name, value]) => ["-c", `${name}=${value}`])];
  const child = runAs.launch(dir, programs.postgres, args, output);
  child.unref();
  let failed: Error | undefined;
  child.once("error", (error) => {
    failed = error;
  });
  child.once("exit", (code, signal) => {
    failed ??= new Error(`it ended with ${signal ?? code}`);
  });
  for (;;) {
    const mark = await readMark(cluster);
    if (failed) throw failed;
    if (mark.pid === child.pid && mark.isReady) return;
    await sleep(20);
  }
}

/** On Windows pg_ctl gives the server a token without administrator rights. */
async function startByPgCtl({ dir, logFile, programs, runAs }: Cluster, settings: Setting[]) {
  const options = settings.map(([name, value]) => `-c ${name}=${value}`).join(" ");
  await runAs.exec(dir, programs.pgCtl, [
    ...["start", "-D", dir, "-l", logFile, "-w", "-t", FOREVER_SECONDS, "-s", "-o", options],
  ]);
}

/** Opens the log, a new one if it has grown large; a running server would keep writing to the old one. */
async function openLog(path: string): Promise<{ fd: number; begins: number; close(): Promise<void> }> {
  let file = await openPrivateLog(path);
  if ((await file.stat()).size > LOG_BYTES_MAX) {
    await file.close();
    await rename(path, `${path}.old`);
    file = await openPrivateLog(path);
  }
  return { fd: file.fd, begins: (await file.stat()).size, close: () => file.close() };
}

async function readFrom(path: string, begins: number): Promise<string> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read({
      buffer: Buffer.alloc(Math.max(0, size - begins)),
      position: begins,
    });
    return buffer.toString("utf8", 0, bytesRead);
  } finally {
    await file.close();
  }
}

/**
 * PostgreSQL takes any process with the id in its pid file for a running server, even a zombie or a stranger, and
 * refuses to start. Children of a dead server notice within a moment; only then is its pid file removed.
 */
async function forgetDead(cluster: Cluster): Promise<void> {
  const { pid } = await readMark(cluster);
  if (!pid || isAlive(pid) || !exists(pid)) return;
  await sleep(1000);
  await rm(markOf(cluster), { force: true });
}

/**
 * Admits nobody, rolls back open transactions, and waits until the server is down. It waits for this very process:
 * pg_ctl waits for any server in the folder, and would finally kill one that somebody else has started since.
 */
export async function stopServer(cluster: Cluster): Promise<void> {
  const { dir, programs, runAs } = cluster;
  const { pid } = await readMark(cluster);
  for (const [mode, seconds] of [
    ["fast", 8],
    ["immediate", 2],
  ] as const) {
    if (pid === 0 || (await readMark(cluster)).pid !== pid) return;
    const args = ["stop", "-D", runAs.nameOf(dir), "-m", mode, "-W", "-s"];
    await runAs.exec(dir, programs.pgCtl, args).catch(() => {});
    const giveUpAt = performance.now() + seconds * 1000;
    while (isAlive(pid) && performance.now() < giveUpAt) await sleep(20);
    if (!isAlive(pid)) return;
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

/** Whether that id belongs to a running PostgreSQL. */
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
 * Recognises a zombie (dead, but not reaped by its parent, which is process 1 of a container or often ourselves), or
 * another program that was given the id. Only on Linux.
 */
function isOther(pid: number): boolean {
  if (process.platform !== "linux") return false;
  try {
    return !/^\d+ \(postgres\) [^Z]/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
