/** A PostgreSQL cluster on disk: creates it if there is none, and says how to connect. server.ts runs its server. */

import { createHmac, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { lchown, mkdir, mkdtemp, readFile, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { OperatorError } from "../../errors.ts";
import { findWay, openConnections, type Sql } from "../connections.ts";
import { NO_PATIENCE } from "../patience.ts";
import { createPrivate, openPrivateLog, readPrivate } from "./private-files.ts";
import { findPrograms, type Programs } from "./programs.ts";
import { chooseRunAs, type RunAs } from "./run-as.ts";

const MAJOR = "18";
/** The cluster's superuser, for what requires one; the service has its own role, see service-role.ts. */
export const SUPERUSER = "keybeat";
export const SERVICE_USER = "keybeat_service";
const SAY_AGAIN_MS = 10_000;

/** Tells a person what takes so long. */
export type Say = (line: string) => void;

export interface Cluster {
  dir: string;
  logFile: string;
  /** The superuser's. */
  password: string;
  programs: Programs;
  runAs: RunAs;
  say: Say;
}

/** Creates the cluster if there is none. Throws an OperatorError that says in one line what stands in the way. */
export async function prepareCluster(dataDir: string, { say, stop } = NO_PATIENCE): Promise<Cluster> {
  try {
    return await prepare(resolve(dataDir), say, stop);
  } catch (error) {
    if (!("syscall" in (error as Error))) throw error;
    const { message, code } = error as NodeJS.ErrnoException;
    const whose = code === "EACCES" || code === "EPERM" ? await describeOwner(dataDir) : "";
    throw new OperatorError(`the data folder ${dataDir} cannot be used: ${message}${whose}`);
  }
}

async function prepare(dataDir: string, say: Say, stop: AbortSignal): Promise<Cluster> {
  await mkdir(dirname(dataDir), { recursive: true, mode: 0o700 });
  await mkdir(dataDir, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
  const root = await realpath(dataDir);
  const passwordFile = join(root, "postgres-password");
  const logFile = join(root, "postgres.log");
  const dir = join(root, "postgres");
  await createPrivate(passwordFile, randomBytes(24).toString("hex"));
  const password = (await readPrivate(passwordFile)).trim();
  const runAs = await chooseRunAs();
  const programs = await findPrograms(root, runAs);
  for (const log of [logFile, `${logFile}.old`].filter(existsSync)) await (await openPrivateLog(log)).close();

  const versionFile = join(dir, "PG_VERSION");
  if (!existsSync(versionFile)) {
    await makeCluster(dir, password, programs, runAs, stop).catch((error: Error) => {
      stop.throwIfAborted();
      throw new OperatorError(`the embedded PostgreSQL could not be made in ${root}: ${error.message}`);
    });
  }
  const version = (await readFile(versionFile, "utf8")).trim();
  if (version !== MAJOR) {
    throw new OperatorError(
      `the data in ${root} was written by PostgreSQL ${Number.parseInt(version, 10)}, this release brings ${MAJOR}: ` +
        "dump it with the older release and restore it with this one",
    );
  }
  await mustOwn(dir, runAs);
  return { dir, logFile, password, programs, runAs, say };
}

/** Appears under its name only when complete. If another process was faster, its cluster stays. */
async function makeCluster(
  dir: string,
  password: string,
  { initdb }: Programs,
  runAs: RunAs,
  stop: AbortSignal,
): Promise<void> {
  const work = await mkdtemp(`${dir}.new-`);
  try {
    const [fresh, passwordFile] = [join(work, "data"), join(work, "password")];
    await mkdir(fresh, { mode: 0o700 });
    await createPrivate(passwordFile, password);
    if (runAs.owner) {
      for (const path of [passwordFile, fresh, work]) await lchown(path, runAs.owner.uid, runAs.owner.gid);
    }
    const name = runAs.nameOf(fresh);
    const how = ["-U", SUPERUSER, "--pwfile", `${name}/../password`, "--auth", "scram-sha-256", "--encoding", "UTF8"];
    await runAs.exec(fresh, initdb, ["-D", name, ...how, "--no-locale", "--data-checksums"], stop);
    await rename(fresh, dir).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST" && error.code !== "ENOTEMPTY") throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  if (!existsSync(join(dir, "PG_VERSION"))) throw new Error(`${dir} is in the way: it holds no PostgreSQL's data`);
}

async function mustOwn(dir: string, { owner }: RunAs): Promise<void> {
  if (process.platform === "win32") return;
  const { uid } = await stat(dir);
  const ours = owner?.uid ?? process.geteuid?.();
  if (uid === ours) return;
  throw new OperatorError(
    `${dir} belongs to the user ${uid}, but the embedded PostgreSQL would run as the user ${ours}: ` +
      "start Keybeat as the one who made it, or choose another DATA_DIR",
  );
}

async function describeOwner(dataDir: string): Promise<string> {
  const found = await stat(dataDir).catch(() => undefined);
  return found ? ` (it belongs to the user ${found.uid}, this is the user ${process.geteuid?.()})` : "";
}

/** Waits as long as it takes, and says every ten seconds what for. */
export async function sayWhile<T>(work: Promise<T>, say: Say, what: string): Promise<T> {
  const began = performance.now();
  const timer = setInterval(() => {
    say(`${what}, for ${Math.round((performance.now() - began) / 1000)} s now`);
  }, SAY_AGAIN_MS);
  return work.finally(() => clearInterval(timer));
}

/** Connects as the superuser. */
export function connectTo(cluster: Cluster, port: number, name: string, database = "postgres"): Sql {
  return openConnections(findWay(superuserUrlOf(cluster, port, database)), { name });
}

/** Derived from the superuser's password, without revealing it. */
export const servicePassword = (cluster: Cluster): string =>
  createHmac("sha256", cluster.password).update(SERVICE_USER).digest("hex").slice(0, 48);

export const urlOf = (cluster: Cluster, port: number): string =>
  `postgres://${SERVICE_USER}:${servicePassword(cluster)}@127.0.0.1:${port}/keybeat`;

export const superuserUrlOf = (cluster: Cluster, port: number, database = "keybeat"): string =>
  `postgres://${SUPERUSER}:${cluster.password}@127.0.0.1:${port}/${database}`;
