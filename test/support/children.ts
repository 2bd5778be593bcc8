/** Processes that a test has started, and theirs. */
import { execFileSync } from "node:child_process";

/** Those that are alive. */
export function childrenOf(pid: number): number[] {
  const table = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" }).trim().split("\n");
  const rows = table.map((line) => line.trim().split(/\s+/).map(Number) as [number, number]);
  return rows.filter(([child, parent]) => parent === pid && isAlive(child)).map(([child]) => child);
}

/** Returns whether there is such a process. */
export function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

export const isAlive = (pid: number): boolean => signal(pid, 0);
