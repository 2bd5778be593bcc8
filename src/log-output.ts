/**
 * Writes log lines synchronously, so that a process's last words are not lost. The log must never stop the service:
 * lines that cannot be written (disk full, nobody reads the pipe) are buffered up to a bound and retried; beyond it
 * they are dropped, and the count is logged once there is room.
 */
import { constants, fstatSync, openSync, writeSync } from "node:fs";

const KEPT_BYTES_MAX = 1024 * 1024;
const AGAIN_MS = 100;

export function createLogOutput(descriptor: number): { write(line: string): void } {
  const fd = openUnblocked(descriptor);
  const kept: Buffer[] = [];
  let keptBytes = 0;
  let dropped = 0;
  let timer: NodeJS.Timeout | undefined;

  const keep = (line: string) => {
    const bytes = Buffer.from(line);
    kept.push(bytes);
    keptBytes += bytes.length;
  };

  /** In order, as far as possible: a pipe may accept part of a line. */
  const flush = () => {
    for (let first = kept[0]; first !== undefined; first = kept[0]) {
      let written = 0;
      try {
        written = writeSync(fd, first);
      } catch {
        return;
      }
      keptBytes -= written;
      if (written < first.length) kept[0] = first.subarray(written);
      else kept.shift();
    }
  };

  const tryAgain = () => {
    timer = undefined;
    flush();
    if (dropped > 0 && keptBytes < KEPT_BYTES_MAX / 2) {
      keep(describeLoss(dropped));
      dropped = 0;
    }
    if (kept.length > 0) timer = setTimeout(tryAgain, AGAIN_MS).unref();
  };

  process.once("exit", flush);
  return {
    write(line) {
      if (keptBytes + line.length > KEPT_BYTES_MAX) dropped++;
      else keep(line);
      if (timer !== undefined) return;
      flush();
      if (kept.length > 0) timer = setTimeout(tryAgain, AGAIN_MS).unref();
    },
  };
}

/**
 * A write to a full pipe would block the whole process. Non-blocking mode is shared by every process that holds the
 * pipe (and Node.js resets it when one of them exits), so the pipe is reopened for this process alone.
 */
function openUnblocked(descriptor: number): number {
  try {
    if (process.platform !== "linux" || !fstatSync(descriptor).isFIFO()) return descriptor;
    return openSync(`/proc/self/fd/${descriptor}`, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return descriptor; // another user's pipe may refuse to be reopened
  }
}

/** A line like the others, at level `warn`. */
const describeLoss = (dropped: number): string =>
  `${JSON.stringify({ level: 40, time: new Date().toISOString(), dropped, msg: "the log could not be written" })}\n`;
