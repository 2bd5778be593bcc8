/** What the host allows a process: files, processes, connections that wait to be accepted. */
import { readFileSync } from "node:fs";
import type { Config } from "../../config.ts";
import { connectionsNeeded } from "../../database/database.ts";
import { boundConnections, limitOf, openFilesMax, RESERVED_FILES } from "../../open-files.ts";
import { type Finding, ok, warn } from "./finding.ts";

/** Fewer are soon used up, by devices that keep theirs or by idle strangers. */
const CONNECTIONS_WANTED = 500;
/** Node.js has some threads beside its first, and each counts. */
const THREADS = 12;
/** What Linux has given by itself since 5.4. */
const BACKLOG = 4096;

/** What the host says, where it is Linux; what it does not say is undefined. */
export interface HostLimits {
  openFiles: number | undefined;
  /** How many processes and threads there may be more. */
  processes: number | undefined;
  backlog: number | undefined;
}

export function readLimits(): HostLimits {
  return { openFiles: openFilesMax(), processes: processesLeft(), backlog: readNumber("/proc/sys/net/core/somaxconn") };
}

export function checkLimits(
  config: Pick<Config, "workers" | "connectionsMax" | "databaseUrl">,
  limits: HostLimits = readLimits(),
): Finding[] {
  return [
    checkOpenFiles(config.connectionsMax, limits.openFiles),
    checkProcesses(config, limits.processes),
    ...checkBacklog(limits.backlog),
  ];
}

function checkOpenFiles(wanted: number | undefined, limit: number | undefined): Finding {
  if (limit === undefined) return ok("open files", "no limit is known");
  const connections = boundConnections(wanted, limit);
  const enough = RESERVED_FILES + (wanted ?? CONNECTIONS_WANTED);
  const message = `${limit} for each process: ${connections} connections, beside those to the database`;
  if (limit >= enough) return ok("open files", message);
  const why = wanted === undefined ? "few for devices that keep theirs" : `MAX_CONNECTIONS asks for ${wanted}`;
  return warn("open files", `${message}; ${why}`, `raise it to ${enough} at least: LimitNOFILE of systemd, ulimit -n`);
}

function checkProcesses(config: Pick<Config, "workers" | "databaseUrl">, left: number | undefined): Finding {
  if (left === undefined) return ok("processes", "no limit is known");
  const processes = config.workers > 1 ? config.workers + 1 : 1;
  const embedded = config.databaseUrl === undefined ? connectionsNeeded(config.workers) + THREADS : 0;
  const needed = processes * THREADS + embedded;
  return left >= needed
    ? ok("processes", `${left} more are allowed, ${needed} are needed`)
    : warn(
        "processes",
        `${left} more are allowed, threads counted too, and ${needed} are needed`,
        "raise the limit: TasksMax of systemd, --pids-limit of a container, ulimit -u",
      );
}

function checkBacklog(backlog: number | undefined): Finding[] {
  if (backlog === undefined || backlog >= BACKLOG) return [];
  const message = `only ${backlog} connections may wait to be accepted: where many come back at once some are late`;
  return [warn("backlog", message, `sysctl net.core.somaxconn=${BACKLOG} or more`)];
}

/** Of the user, and of the control group; root is under the second alone. */
function processesLeft(): number | undefined {
  const group = /^0::(.*)$/m.exec(readText("/proc/self/cgroup"))?.[1];
  const folders = group === undefined ? [] : [`/sys/fs/cgroup${group}`, "/sys/fs/cgroup"];
  const folder = folders.find((path) => readText(`${path}/pids.max`) !== "");
  const ofGroup = folder === undefined ? undefined : readNumber(`${folder}/pids.max`);
  const left = [
    process.getuid?.() === 0 ? undefined : limitOf(readText("/proc/self/limits"), "Max processes"),
    ofGroup === undefined ? undefined : ofGroup - (readNumber(`${folder}/pids.current`) ?? 0),
  ].filter((limit) => limit !== undefined);
  return left.length === 0 ? undefined : Math.min(...left);
}

/** Undefined for "max" as well. */
function readNumber(file: string): number | undefined {
  const text = readText(file).trim();
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
