/**
 * How many files (sockets included) this process may have open, and whether it could open one more. (Node.js itself
 * raises the soft limit to the hard one.) Without a free descriptor no connection can be accepted or made.
 */
import { closeSync, openSync, readFileSync } from "node:fs";
import { devNull } from "node:os";
import type { Logger } from "./log.ts";

/** Reserved for the database, the log, the streams' own needs and refusals. */
export const RESERVED_FILES = 128;
const CONNECTIONS_MIN = 16;
const REPORT_MS = 60_000;

/** Undefined: no limit, or unknown on this system. */
export function openFilesMax(): number | undefined {
  return process.platform === "linux"
    ? limitOf(readFileSync("/proc/self/limits", "utf8"), "Max open files")
    : reported();
}

/** Reads the soft limit from text like /proc/self/limits. */
export function limitOf(limits: string, name: string): number | undefined {
  const [, soft] = new RegExp(`^${name} +(\\d+)`, "m").exec(limits) ?? [];
  return soft === undefined ? undefined : Number(soft);
}

function reported(): number | undefined {
  const { userLimits } = process.report.getReport() as unknown as { userLimits?: { open_files?: { soft: unknown } } };
  const soft = Number(userLimits?.open_files?.soft);
  return Number.isFinite(soft) ? soft : undefined;
}

/** How many connections a process accepts: what its limit leaves, capped by the operator's maximum. */
export function boundConnections(wanted: number | undefined, limit = openFilesMax()): number {
  const left = (limit ?? Number.POSITIVE_INFINITY) - RESERVED_FILES;
  return Math.max(CONNECTIONS_MIN, Math.min(left, wanted ?? Number.POSITIVE_INFINITY));
}

/** The code of the shortage (EMFILE: this process's limit, ENFILE: the host's) if no file can be opened right now. */
export function findFileShortage(): string | undefined {
  try {
    closeSync(openSync(devNull, "r"));
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? "unknown";
  }
}

/** Logs the shortage at once and then once a minute; returns whether there is one. */
export function createShortageReport(log: Logger): (shortage: string | undefined) => boolean {
  let silentUntil = 0;
  const open_files_max = openFilesMax(); // in advance: it could not be read once none is left
  return (shortage) => {
    if (shortage !== undefined && performance.now() >= silentUntil) {
      silentUntil = performance.now() + REPORT_MS;
      log.error(
        { code: shortage, open_files_max },
        "no file or connection can be opened any more: nobody can come in, and the service counts as away",
      );
    }
    return shortage !== undefined;
  };
}
