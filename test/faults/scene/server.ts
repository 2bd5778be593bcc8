/** One `keybeat serve` of a fault: on a port that it keeps when it is started again, its output in a file. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../support/free-port.ts";

export const PROGRAM = new URL("../../../dist/src/cli/keybeat.js", import.meta.url).pathname;
const READY_MS_MAX = 30_000;
/** A server promises to be gone within 10 s. */
const STOP_MS_MAX = 12_000;

export interface ServerProcess {
  url: string;
  /** Of the process that runs now. */
  pid(): number;
  /** Resolves when it answers. Rejects with its last words if it ends before. */
  start(): Promise<void>;
  /** Ends it and waits; its exit code, null for a signal's end. One that does not go within 12 s is killed. */
  stop(signal: NodeJS.Signals): Promise<number | null>;
  /** Everything that it has said so far. */
  output(): string;
}

/** Another host than this one, such as a network namespace. */
export interface Away {
  /** What is put before a command, so that it runs there. */
  command: string[];
  /** Its address, as seen from here. */
  host: string;
  /** Makes the way by which the devices reach the servers there; returns the addresses that they call. */
  reach(servers: string[]): Promise<string[]>;
}

export interface ServerOptions {
  away: Away | undefined;
  env: Record<string, string>;
  /** Where its output goes to; appended. */
  logFile: string;
  /** A file descriptor that it goes to instead. */
  output: number | undefined;
}

export async function createServer(options: ServerOptions): Promise<ServerProcess> {
  const port = await freePort();
  const host = options.away?.host ?? "127.0.0.1";
  const url = `http://${host}:${port}`;
  const { PATH = "", HOME = "" } = process.env;
  const env = { PATH, HOME, HOST: host, PORT: String(port), ...options.env };
  let child: ChildProcess | undefined;
  let exit: Promise<number | null> = Promise.resolve(null);
  const output = () => readFileSync(options.logFile, "utf8");

  return {
    url,
    output,
    pid: () => child?.pid as number,
    async start() {
      const log = openSync(options.logFile, "a", 0o600);
      const to = options.output ?? log;
      // In a separate process group: a Ctrl-C is for the runner, which then ends it.
      const command = [...(options.away?.command ?? []), process.execPath, PROGRAM, "serve"];
      const started = spawn(command[0] as string, command.slice(1), { env, stdio: ["ignore", to, to], detached: true });
      closeSync(log);
      child = started;
      exit = new Promise((resolve) => started.once("exit", resolve));
      const giveUpAt = performance.now() + READY_MS_MAX;
      while (!(await isLive(url))) {
        const over = started.exitCode !== null || started.signalCode !== null;
        if (over || performance.now() > giveUpAt) {
          throw new Error(`a server did not start: ${output().split("\n").slice(-5).join("\n")}`);
        }
        await sleep(20);
      }
    },
    async stop(signal) {
      child?.kill(signal);
      const late = setTimeout(() => child?.kill("SIGKILL"), STOP_MS_MAX);
      return exit.finally(() => clearTimeout(late));
    },
  };
}

async function isLive(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/health/live`, { signal: AbortSignal.timeout(1000) })).ok;
  } catch {
    return false;
  }
}
