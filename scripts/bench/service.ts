/** A PostgreSQL of the benchmark's own, and the service on it, started as a user would. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import postgres from "postgres";
import { openEmbedded } from "../../src/database/embedded.ts";
import { migrateDatabase } from "../../src/database/migrate.ts";
import { createLog } from "../../src/log.ts";
import type { Teardown } from "./teardown.ts";

const PROGRAM = new URL("../../dist/src/cli/keybeat.js", import.meta.url).pathname;

export interface BenchDatabase {
  url: string;
  /** A single connection, so that temporary tables stay. */
  sql: postgres.Sql;
  /** The postmaster; every other process of the database is a child of it. */
  pid: number;
  /** For the run's files; removed with the rest. */
  folder: string;
}

export interface BenchService {
  url: string;
  /** The primary; its workers are children of it. */
  pid: number;
  /** The log so far, parsed. */
  log: Array<Record<string, unknown>>;
  stop(): Promise<void>;
}

/** Compiles the program, to measure what users run. */
export function buildProgram(): void {
  execFileSync("npm", ["run", "--silent", "build"], { stdio: "inherit" });
}

/** The embedded PostgreSQL with its settings from the service, migrated and empty. */
export async function openBenchDatabase(teardown: Teardown): Promise<BenchDatabase> {
  const folder = mkdtempSync(join(tmpdir(), "keybeat-bench-"));
  const opening = openEmbedded(join(folder, "data"), "command", createLog("silent"));
  teardown.add(async () => {
    const embedded = await opening.catch(() => undefined);
    await embedded?.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const { superuserUrl: url } = await opening;
  await migrateDatabase(url);
  const sql = postgres(url, { max: 1, idle_timeout: 0, max_lifetime: null, onnotice: () => {} });
  teardown.add(() => sql.end({ timeout: 1 }));
  const mark = readFileSync(join(folder, "data", "postgres", "postmaster.pid"), "utf8");
  return { url, sql, pid: Number(mark.split("\n")[0]), folder };
}

/** Starts the service as `npm start` does, and waits until it listens. */
export async function startService(
  databaseUrl: string,
  env: Record<string, string>,
  teardown: Teardown,
): Promise<BenchService> {
  const child = startNode(["--single-threaded-gc", PROGRAM, "serve"], teardown, {
    DATABASE_URL: databaseUrl,
    HOST: "127.0.0.1",
    PORT: "0",
    LIMIT_STARTS: "0",
    LIMIT_PLACES: "0",
    ...env,
  });
  const log: Array<Record<string, unknown>> = [];
  const url = await ready(child, (line) => line.startsWith("{") && log.push(JSON.parse(line)));
  return { url, pid: child.pid as number, log, stop: () => stopChild(child) };
}

/** A Node.js process of the benchmark. A Ctrl-C on the terminal does not reach it: the benchmark stops it in order. */
export function startNode(args: string[], teardown: Teardown, env: Record<string, string> = {}): ChildProcess {
  teardown.signal.throwIfAborted();
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env.PATH, ...env },
    stdio: ["ignore", "pipe", "inherit"],
    detached: true,
  });
  teardown.add(() => stopChild(child));
  return child;
}

/** Resolves with the address that a child prints; `onLine` gets every other line it prints, now and later. */
export function ready(child: ChildProcess, onLine: (line: string) => void = () => {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const lines: string[] = [];
    if (!child.stdout) throw new Error("the child's output must be a pipe");
    createInterface(child.stdout).on("line", (line) => {
      lines.push(line);
      const url = /^listening on (\S+)$/.exec(line)?.[1];
      if (url) resolve(url);
      else onLine(line);
    });
    child.once("close", () => reject(new Error(`it ended: ${lines.join("\n")}`)));
  });
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = new Promise((resolve) => child.once("close", resolve));
  child.kill("SIGTERM");
  await closed;
}
