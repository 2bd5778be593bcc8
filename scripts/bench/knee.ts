/**
 * Measures how the cost of a heartbeat grows with the number of live sessions: each size runs at its natural rate
 * (every session beats every 30 seconds, takeovers in proportion), then flat out.
 *
 *   npm run bench:knee [-- --sizes 1000,10000,100000,1000000 --seconds 15 --json]
 */
import { spawn } from "node:child_process";
import { parseArgs } from "node:util";
import type { Summary } from "./bench-summary.ts";
import { thousands } from "./progress.ts";
import type { ScaleResult } from "./scale-run.ts";
import { buildProgram } from "./service.ts";
import { runBenchmark, type Teardown } from "./teardown.ts";

const { values } = parseArgs({
  allowNegative: true,
  options: {
    sizes: { type: "string", default: "1000,10000,100000,300000,500000,750000,1000000" },
    seconds: { type: "string", default: "15" },
    build: { type: "boolean", default: true },
    json: { type: "boolean", default: false },
  },
});

const FASTEST = "heartbeat, 2 processes, 256 connections";
/** The share of sessions taken over in a second: 200 of a million. */
const TAKEOVER_SHARE = 0.0002;

interface Row {
  sessions: number;
  natural: ScaleResult;
  fastest: Summary;
}

await runBenchmark(async (teardown) => {
  if (values.build) buildProgram();
  const rows: Row[] = [];
  for (const size of values.sizes.split(",").map(Number)) rows.push(await measureSize(size, teardown));
  if (values.json) console.log(JSON.stringify(rows));
  else printRows(rows);
});

async function measureSize(sessions: number, teardown: Teardown): Promise<Row> {
  const count = ["--no-build", "--json", "--sessions", String(sessions), "--seconds", values.seconds];
  const beside = ["--takeovers", String(Math.ceil(sessions * TAKEOVER_SHARE)), "--warm-up", "5"];
  const natural = (await runOther("scale.ts", [...count, ...beside], teardown)) as ScaleResult;
  const { lines } = (await runOther("bench.ts", [...count, "--only", FASTEST], teardown)) as { lines: Summary[] };
  return { sessions, natural, fastest: lines[0] as Summary };
}

/** Each size gets a process of its own, so that its memory does not burden the next. */
async function runOther(program: string, args: string[], teardown: Teardown): Promise<unknown> {
  const path = new URL(program, import.meta.url).pathname;
  const stdio = ["ignore", "pipe", "inherit"] as const;
  const child = spawn(process.execPath, ["--import", "tsx", path, ...args], { stdio: [...stdio], detached: true });
  const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
  teardown.add(() => {
    if (child.exitCode === null) child.kill("SIGTERM");
    return closed;
  });
  let text = "";
  for await (const part of child.stdout) text += part;
  if ((await closed) !== 0) throw new Error(`${program} ended with ${child.exitCode}`);
  return JSON.parse(text);
}

function printRows(rows: Row[]): void {
  console.log(
    "| live sessions | due/s | delivered/s | p50 ms | p99 ms | server µs | database µs | flat out/s | server µs | database µs |",
  );
  console.log("|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
  for (const { sessions, natural, fastest } of rows) {
    const cells = [
      ...[sessions, natural.due_per_second, natural.delivered_per_second].map(thousands),
      ...[natural.latency.p50_ms, natural.latency.p99_ms],
      ...costOf(natural.cpu_micros_a_heartbeat),
      thousands(fastest.per_second ?? 0),
      ...costOf(fastest.cpu_micros),
    ];
    console.log(`| ${cells.join(" | ")} |`);
  }
}

function costOf(cpu: { server: number; database: number } | undefined): string[] {
  return cpu ? [cpu.server.toFixed(1), cpu.database.toFixed(1)] : ["", ""];
}
