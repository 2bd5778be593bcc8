/** A real service for a demonstration, on a real database in a temporary folder. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface DemoService {
  url: string;
  accessKey: string;
  /** Kills its process, as a crash would. Its database lives on. */
  kill(): Promise<void>;
  /** Starts it again, at the same address. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

interface Running {
  child: ChildProcess;
  gone: Promise<unknown>;
  output: string;
  url: string;
}

export async function startService(timeoutSeconds: number, settings: NodeJS.ProcessEnv = {}): Promise<DemoService> {
  const folder = mkdtempSync(join(tmpdir(), "keybeat-demo-"));
  const env = {
    ...process.env,
    DATA_DIR: folder,
    SESSION_TIMEOUT_SECONDS: String(timeoutSeconds),
    CLEANUP_CRON: "* * * * * *",
    DATABASE_URL: "",
    LOG_LEVEL: "warn",
    WORKERS: "1",
    KEY_PEPPER: "",
    HOST: "",
    ...settings,
  };
  let running: Running;
  const end = async (signal: NodeJS.Signals) => {
    running.child.kill(signal);
    await running.gone;
  };
  const forget = () => rmSync(folder, { recursive: true, force: true });
  try {
    running = await run({ ...env, PORT: "0" });
  } catch (error) {
    forget();
    throw error;
  }
  const { output, url } = running;
  return {
    url,
    accessKey: /^demo key\s+(\S+)/m.exec(output)?.[1] as string,
    kill: () => end("SIGKILL"),
    async restart() {
      running = await run({ ...env, PORT: new URL(url).port });
    },
    async stop() {
      await end("SIGTERM");
      forget();
    },
  };
}

/** Resolves once it listens. */
async function run(env: NodeJS.ProcessEnv): Promise<Running> {
  const program = new URL("../../src/cli/keybeat.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, ["--import", "tsx", program, "serve"], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
    // A Ctrl-C goes to the demonstration alone, which then stops the service.
    detached: true,
  });
  const gone = new Promise((resolve) => child.once("close", resolve));
  let output = "";
  for await (const chunk of child.stdout) {
    output += chunk;
    const url = /^listening on (\S+)$/m.exec(output)?.[1];
    if (!url) continue;
    child.stdout.resume();
    return { child, gone, output, url };
  }
  child.kill("SIGTERM");
  await gone;
  throw new Error(`the service did not start: ${output}`);
}
