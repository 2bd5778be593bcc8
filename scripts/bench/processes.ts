/** CPU and memory of a process and its children, from /proc: on Linux only; elsewhere the figures are omitted. */
import { existsSync, readdirSync, readFileSync } from "node:fs";

/** The kernel's unit of CPU time, the same on every Linux that Node.js runs on. */
const TICKS_A_SECOND = 100;

export const hasProc = existsSync("/proc/self/stat");

interface Stat {
  pid: number;
  parent: number;
  cpuMicros: number;
  /** CPU of children that have ended. */
  pastCpuMicros: number;
}

/** CPU that a process and its descendants have used so far, in microseconds, ended ones included. */
export function cpuMicros(pid: number): number {
  let sum = 0;
  for (const stat of treeOf(pid)) sum += stat.cpuMicros + stat.pastCpuMicros;
  return sum;
}

/** CPU of our own ended children: the difference before and after one is what it used. */
export function endedChildrenCpuMicros(): number {
  return readStat(process.pid)?.pastCpuMicros ?? 0;
}

/** Memory of each process of the tree, in bytes: resident now, and at its peak. */
export function memoryOf(pid: number): Array<{ pid: number; bytes: number; peakBytes: number }> {
  return treeOf(pid).flatMap((stat) => {
    const status = readProc(`/proc/${stat.pid}/status`);
    const kib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0);
    return status === "" ? [] : [{ pid: stat.pid, bytes: kib("VmRSS") * 1024, peakBytes: kib("VmHWM") * 1024 }];
  });
}

/** Memory of the whole tree, in bytes, shared pages counted once. */
export function sharedMemoryOf(pid: number): number {
  return treeOf(pid).reduce((sum, stat) => {
    const kib = Number(/^Pss:\s+(\d+) kB/m.exec(readProc(`/proc/${stat.pid}/smaps_rollup`))?.[1] ?? 0);
    return sum + kib * 1024;
  }, 0);
}

function treeOf(root: number): Stat[] {
  if (!hasProc) return [];
  const all = readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? (readStat(Number(name)) ?? []) : []));
  const tree = all.filter((stat) => stat.pid === root);
  for (const member of tree) tree.push(...all.filter((stat) => stat.parent === member.pid));
  return tree;
}

function readStat(pid: number): Stat | undefined {
  // The name in brackets may hold anything, so count the fields after it.
  const fields = /\) (.+)/
    .exec(readProc(`/proc/${pid}/stat`))?.[1]
    ?.split(" ")
    .map(Number);
  if (!fields) return undefined;
  const micros = (field: number) => ((fields[field] as number) * 1e6) / TICKS_A_SECOND;
  return {
    pid,
    parent: fields[1] as number,
    cpuMicros: micros(11) + micros(12),
    pastCpuMicros: micros(13) + micros(14),
  };
}

function readProc(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
