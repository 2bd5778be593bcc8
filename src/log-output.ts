/**
 * Writes the log line by line, at once, so that the last words of a process are not lost with it. But no log may stop the
 * service: what cannot be written now (the disk is full, nobody reads the pipe) is kept, up to a bound, and tried again;
 * what comes beyond that is dropped, and how many lines that were is said as soon as there is room.
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

  /** In order, and as far as it goes: a pipe may take a part of a line. */
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
 * Writing to a full pipe would stop the whole process. Whether it does is a property that all processes share that were
 * given the pipe (and that Node.js sets back when one of them ends), so it is opened once more, for us alone.
 */
function openUnblocked(descriptor: number): number {
  try {
    if (process.platform !== "linux" || !fstatSync(descriptor).isFIFO()) return descriptor;
    return openSync(`/proc/self/fd/${descriptor}`, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return descriptor; // another user's pipe may not be opened again
  }
}

/** A line like the others, of level `warn`. */
const describeLoss = (dropped: number): string =>
  `${JSON.stringify({ level: 40, time: new Date().toISOString(), dropped, msg: "the log could not be written" })}\n`;
