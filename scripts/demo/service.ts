/** A real service for a demonstration, on a real database in a temporary folder. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface DemoService {
  url: string;
  accessKey: string;
  stop(): Promise<void>;
}

export async function startService(timeoutSeconds: number): Promise<DemoService> {
  const folder = mkdtempSync(join(tmpdir(), "keybeat-demo-"));
  const program = new URL("../../src/cli/keybeat.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, ["--import", "tsx", program, "serve"], {
    env: {
      ...process.env,
      DATA_DIR: folder,
      PORT: "0",
      SESSION_TIMEOUT_SECONDS: String(timeoutSeconds),
      CLEANUP_CRON: "* * * * * *",
      DATABASE_URL: "",
      LOG_LEVEL: "warn",
      WORKERS: "1",
      KEY_PEPPER: "",
      HOST: "",
    },
    stdio: ["ignore", "pipe", "inherit"],
    // A Ctrl-C goes to the demonstration alone, which then stops the service.
    detached: true,
  });
  const gone = new Promise((resolve) => child.once("close", resolve));
  const stop = async () => {
    child.kill("SIGTERM");
    await gone;
    rmSync(folder, { recursive: true, force: true });
  };
  let output = "";
  for await (const chunk of child.stdout) {
    output += chunk;
    const url = /^listening on (\S+)$/m.exec(output)?.[1];
    if (!url) continue;
    child.stdout.resume();
    return { url, accessKey: /^demo key\s+(\S+)/m.exec(output)?.[1] as string, stop };
  }
  await stop();
  throw new Error(`the service did not start: ${output}`);
}
