/** Starts the program as its user does, as a process of its own, and reads what it prints. */
import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { recordedServer, seenAnswers } from "./answers.ts";
import { postInit, type Reply, readReply } from "./app.ts";
import { findSecrets } from "./secrets.ts";

const PROGRAM = "dist/src/cli/keybeat.js";

/** Tests of other things start as often, and as wrongly, as they like, and do not wait for balancers at the end. */
const NO_LIMITS = {
  LIMIT_UNKNOWN_KEYS: "0",
  LIMIT_SIGN_INS: "0",
  LIMIT_STARTS: "0",
  LIMIT_PLACES: "0",
  DRAIN_SECONDS: "0",
};

export interface CommandResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs `keybeat …` to its end. */
export async function keybeat(args: string[], env: Record<string, string> = {}): Promise<CommandResult> {
  const child = spawn(process.execPath, [PROGRAM, ...args], { env: { ...bareEnv(), ...env } });
  const result: CommandResult = { code: null, stdout: "", stderr: "" };
  child.stdout.on("data", (chunk) => {
    result.stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    result.stderr += chunk;
  });
  result.code = await new Promise((resolve) => child.once("close", resolve));
  return result;
}

export interface RunningServer {
  url: string;
  child: ChildProcess;
  /** Everything it has printed so far. */
  output(): string;
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Reply>;
  get(path: string, headers?: Record<string, string>): Promise<Reply>;
  /** Ends it by a signal and waits. Returns its exit code. Fails if a secret stands in its output. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Starts `keybeat serve`, on a free port unless one is set, and waits until it is ready. Rejects with its output if it ends before. */
export async function startServer(env: Record<string, string>, program = PROGRAM): Promise<RunningServer> {
  const recorded = recordedServer();
  const child = spawn(process.execPath, [...recorded.args, program, "serve"], {
    env: { ...bareEnv(), ...NO_LIMITS, PORT: "0", ...recorded.env, ...env },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      output += chunk;
    });
  }
  const exit = new Promise<number | null>((resolve) => child.once("close", resolve));
  let url: string | undefined;
  while (url === undefined) {
    url = /^listening on (\S+)$/m.exec(output)?.[1];
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`the server ended: ${output}`);
    await sleep(10);
  }
  const base = url.replace("0.0.0.0", "127.0.0.1");
  return {
    url: base,
    child,
    output: () => output,
    post: async (path, body, headers) => readReply(await fetch(base + path, postInit(body, headers))),
    get: async (path, headers = {}) => readReply(await fetch(base + path, { headers })),
    async stop(signal = "SIGTERM") {
      child.kill(signal);
      const code = await exit;
      await seenAnswers(); // with the leases that it gave, which its output must not tell
      expect(findSecrets(output)).toEqual([]);
      return code;
    },
  };
}

/** Our environment without the settings of Keybeat that a developer may have set. */
function bareEnv(): Record<string, string> {
  const { PATH = "", HOME = "", TMPDIR } = process.env;
  return { PATH, HOME, ...(TMPDIR && { TMPDIR }) };
}
