/**
 * Heartbeats over HTTP (one process) beside pgbench's one-row prepared UPDATE of the same table and a bare node:http
 * echo, one after the other in one run on one machine: the ratios say something, the figures alone do not.
 *
 *   npm run bench [-- --sessions 20000 --seconds 10 --connections 64 --json]
 *
 * Needs wrk and pgbench on the PATH (Debian: apt-get install wrk postgresql-contrib).
 */
import { execFileSync, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import type { createServer } from "node:http";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type postgres from "postgres";
import { ready, round, startBench, wrk } from "./support.ts";

const { values } = parseArgs({
  options: {
    sessions: { type: "string", default: "20000" },
    seconds: { type: "string", default: "10" },
    connections: { type: "string", default: "64" },
    json: { type: "boolean", default: false },
  },
});
const [sessions, seconds, connections] = [values.sessions, values.seconds, values.connections].map(Number) as [
  number,
  number,
  number,
];

const say = (text: string) => values.json || console.error(text);
say(`${sessions} live sessions …`);
const bench = await startBench(sessions);
const load = { sessions, connections, seconds };

try {
  say(`bare node:http echo, ${seconds} s …`);
  const echo = await measureEcho();
  say(`heartbeats over HTTP, ${seconds} s …`);
  const before = await updates(bench.sql);
  const beat = wrk(bench.folder, `${bench.url}/api/session/heartbeat`, load);
  const after = await updates(bench.sql);
  say(`pgbench, one-row prepared UPDATE, ${seconds} s …`);
  const pgbench = measurePgbench(bench.databaseUrl);

  const result = {
    sessions,
    connections,
    echo_per_second: echo.perSecond,
    heartbeats_per_second: beat.perSecond,
    heartbeat_p99_ms: beat.p99Ms,
    heartbeat_errors: beat.errors,
    pgbench_per_second: pgbench,
    heartbeats_to_pgbench: round(beat.perSecond / pgbench),
    heartbeats_to_echo: round(beat.perSecond / echo.perSecond),
    heap_only_share: round((after.hot - before.hot) / Math.max(1, after.all - before.all)),
  };
  if (values.json) console.log(JSON.stringify(result));
  else for (const [name, value] of Object.entries(result)) console.log(`${name.padEnd(24)} ${value}`);
} finally {
  await bench.close();
}

/** The echo runs in a process of its own, as the server does. */
async function measureEcho(): Promise<{ perSecond: number }> {
  const source = `(${echoServer.toString()})(require("node:http").createServer)`;
  const child = spawn(process.execPath, ["-e", source], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    return wrk(bench.folder, await ready(child), load);
  } finally {
    child.kill();
  }
}

function echoServer(create: typeof createServer): void {
  const echo = create((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => response.setHeader("Content-Type", "application/json").end(body));
  });
  echo.listen(0, "127.0.0.1", () => {
    console.log(`listening on http://127.0.0.1:${(echo.address() as { port: number }).port}`);
  });
}

function measurePgbench(databaseUrl: string): number {
  const script = join(bench.folder, "beat.sql");
  const update =
    "UPDATE active_sessions SET last_heartbeat = clock_timestamp() + interval '1 hour' WHERE key_id = :id;";
  writeFileSync(script, `\\set id random(2, ${sessions})\n${update}\n`);
  const args = ["-n", "-M", "prepared", "-c", "32", "-j", "2", "-T", String(seconds), "-f", script, databaseUrl];
  const output = execFileSync("pgbench", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  return Math.round(Number(/tps = ([\d.]+)/.exec(output)?.[1]));
}

async function updates(sql: postgres.Sql): Promise<{ all: number; hot: number }> {
  await new Promise((resolve) => setTimeout(resolve, 1500)); // backends report their counts about once a second
  const [row] = await sql`
    SELECT n_tup_upd::float AS all, n_tup_hot_upd::float AS hot FROM pg_stat_user_tables WHERE relname = 'active_sessions'`;
  return row as unknown as { all: number; hot: number };
}
