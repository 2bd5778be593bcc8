/** Other programs that the benchmarks use where they are installed. */
import { spawn } from "node:child_process";
import { accessSync, constants, readdirSync } from "node:fs";
import { join } from "node:path";
import { endedChildrenCpuMicros } from "./processes.ts";

/** The path of a program, or undefined where it is not installed. */
export function findProgram(name: string): string | undefined {
  // Debian keeps PostgreSQL's programs there; on the PATH are only wrapper scripts, which would be measured too.
  const versions = readFolder("/usr/lib/postgresql").sort((a, b) => Number(b) - Number(a));
  const folders = [
    ...versions.map((version) => `/usr/lib/postgresql/${version}/bin`),
    ...(process.env.PATH ?? "").split(":"),
  ];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** Runs a program to its end, or kills it on the signal. Throws with its output if it fails. */
export async function runProgram(
  path: string,
  args: string[],
  signal: AbortSignal,
): Promise<{ output: string; cpuMicros: number }> {
  const before = endedChildrenCpuMicros();
  const child = spawn(path, args, { stdio: ["ignore", "pipe", "pipe"], signal, killSignal: "SIGKILL" });
  let output = "";
  let complaint = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
  });
  child.stderr.on("data", (chunk) => {
    complaint += chunk;
  });
  const code = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) throw new Error(`${path} ended with ${code}: ${complaint || output}`);
  return { output, cpuMicros: endedChildrenCpuMicros() - before };
}

function readFolder(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
