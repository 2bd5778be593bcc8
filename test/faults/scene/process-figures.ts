/** What Linux knows of a process that we started, without asking it: it may be in no state to answer. */
import { readdirSync, readFileSync } from "node:fs";

/** Its memory in MiB. Undefined: the process is gone. */
export function residentMib(pid: number): number | undefined {
  const kib = readNumber(pid, "status", /^VmRSS:\s+(\d+) kB/m);
  return kib === undefined ? undefined : kib / 1024;
}

/** Files, sockets and the like that it has open. */
export function openHandles(pid: number): number | undefined {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return undefined;
  }
}

/** How many bytes it has read since it began, from sockets too: what it took in, not what lies in the kernel's buffers. */
export function bytesTaken(pid: number): number | undefined {
  return readNumber(pid, "io", /^rchar: (\d+)/m);
}

function readNumber(pid: number, file: string, pattern: RegExp): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/${file}`, "utf8");
    const found = pattern.exec(text)?.[1];
    return found === undefined ? undefined : Number(found);
  } catch {
    return undefined;
  }
}
