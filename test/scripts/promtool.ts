/**
 * Prometheus' own tool on what is ours: the alert rules and their unit tests, the scrape configuration, and the metrics
 * of a running service. Exit code 1: it found something, or it is not installed.
 */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const RULES = "scripts/monitor/prometheus";

function promtool(args: string[], input?: string): void {
  console.log(`promtool ${args.join(" ")}`);
  const stdio = [input === undefined ? "ignore" : "pipe", "inherit", "inherit"] as const;
  execFileSync("promtool", args, { cwd: RULES, stdio: [...stdio], ...(input !== undefined && { input }) });
}

/** Some of prom-client's gauges end in _total; only our names must please promtool. */
async function readOurMetrics(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "keybeat-promtool-"));
  const env = { ...process.env, DATA_DIR: folder, PORT: "0", DATABASE_URL: "", LOG_LEVEL: "warn" };
  const server = spawn(process.execPath, ["dist/src/cli/keybeat.js", "serve"], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    let url: string | undefined;
    for await (const part of server.stdout) {
      url = /^listening on (\S+)$/m.exec(String(part))?.[1];
      if (url !== undefined) break;
    }
    const text = await (await fetch(`${url}/metrics`)).text();
    return `${text
      .split("\n\n")
      .filter((block) => block.includes("# HELP keybeat_"))
      .join("\n")}\n`;
  } finally {
    const closed = new Promise((resolve) => server.once("close", resolve));
    server.kill("SIGTERM");
    await closed;
    rmSync(folder, { recursive: true, force: true });
  }
}

try {
  promtool(["check", "rules", "alerts.yml"]);
  promtool(["check", "config", "prometheus.yml"]);
  promtool(["test", "rules", "alerts.test.yml"]);
  promtool(["check", "metrics"], await readOurMetrics());
} catch (error) {
  const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
  console.error(missing ? "promtool is missing (Debian: apt-get install prometheus)" : (error as Error).message);
  process.exitCode = 1;
}
