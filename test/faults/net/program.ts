/** A system program (a pooler, a balancer, a cluster's member) that a fault runs as a child process. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export interface Program {
  pid: number;
  /** Ends it and waits until it is gone. */
  stop(signal: NodeJS.Signals): Promise<void>;
}

/** What it says goes to `<name>.log` in the folder. */
export function startProgram(
  folder: string,
  name: string,
  command: string[],
  as: { uid?: number; gid?: number; env?: Record<string, string> } = {},
): Program {
  const log = openSync(join(folder, `${name}.log`), "a", 0o600);
  const { env, ...owner } = as;
  const child: ChildProcess = spawn(command[0] as string, command.slice(1), {
    ...owner,
    stdio: ["ignore", log, log],
    // In a separate process group: a Ctrl-C is for the runner, which then ends it.
    detached: true,
    env: { PATH: process.env.PATH, ...env },
  });
  closeSync(log);
  const gone = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  return {
    pid: child.pid as number,
    async stop(signal) {
      child.kill(signal);
      const late = setTimeout(() => child.kill("SIGKILL"), 8_000);
      await gone;
      clearTimeout(late);
    },
  };
}

/** Resolves when somebody listens there. */
export async function listening(port: number, what: string): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    const there = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
      socket.once("connect", () => socket.destroy());
    });
    if (there) return;
    await sleep(50);
  }
  throw new Error(`${what} does not listen`);
}
