/** `keybeat … follow` as a person or a script runs it. */
import { spawn } from "node:child_process";
import { afterEach } from "vitest";
import { openTerminal, type Terminal } from "../../support/terminal.ts";

const PROGRAM = "dist/src/cli/keybeat.js";

export interface Piped {
  stdout(): string;
  stderr(): string;
  kill(signal: NodeJS.Signals): void;
  ended: Promise<number | null>;
}

/** For a test file; what still runs after a test is ended. `group`: as in `keybeat batch follow`. */
export function useFollow(group: string, databaseUrl: () => string) {
  const undo: Array<() => unknown> = [];
  afterEach(async () => {
    for (const step of undo.splice(0).reverse()) await step();
  });
  return {
    undo,
    async onTerminal(id: string, url = databaseUrl(), size = { columns: 80, rows: 20 }): Promise<Terminal> {
      const command = [process.execPath, PROGRAM, group, "follow", id];
      const terminal = await openTerminal(command, size, { DATABASE_URL: url });
      undo.push(async () => {
        terminal.type("q");
        await terminal.ended();
      });
      return terminal;
    },
    inPipe(id: string, { args = [], url = databaseUrl() }: { args?: string[]; url?: string } = {}): Piped {
      const { PATH = "", HOME = "" } = process.env;
      const env = { PATH, HOME, DATABASE_URL: url };
      const child = spawn(process.execPath, [PROGRAM, group, "follow", id, ...args], { env });
      let [stdout, stderr] = ["", ""];
      child.stdout.setEncoding("utf8").on("data", (chunk) => {
        stdout += chunk;
      });
      child.stderr.setEncoding("utf8").on("data", (chunk) => {
        stderr += chunk;
      });
      undo.push(() => child.kill("SIGKILL"));
      return {
        stdout: () => stdout,
        stderr: () => stderr,
        kill: (signal) => child.kill(signal),
        ended: new Promise((resolve) => child.once("close", resolve)),
      };
    },
  };
}
