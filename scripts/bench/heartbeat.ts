/**
 * Heartbeats over HTTP (one process) beside pgbench's one-row prepared UPDATE of the same table and a bare node:http
 * echo, one after the other in one run on one machine: the ratios say something, the figures alone do not.
 *
 *   npm run bench [-- --sessions 20000 --seconds 10 --connections 64 --json]
 *
 * Needs wrk and pgbench on the PATH (Debian: apt-get install wrk postgresql-contrib).
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import postgres from "postgres";

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

const folder = mkdtempSync(join(tmpdir(), "keybeat-bench-"));
const say = (text: string) => values.json || console.error(text);
const program = new URL("../../dist/src/cli/keybeat.js", import.meta.url).pathname;
execFileSync("npm", ["run", "--silent", "build"], { stdio: "inherit" });
const server = spawn(process.execPath, [program, "serve"], {
  env: { PATH: process.env.PATH, DATA_DIR: folder, PORT: "0" },
  stdio: ["ignore", "pipe", "inherit"],
});
process.once("SIGINT", () => server.kill("SIGINT"));

try {
  const url = await ready(server);
  const databaseUrl = readFileSync(join(folder, "database-url"), "utf8").trim();
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  say(`${sessions} live sessions …`);
  await seed(sql);

  say(`bare node:http echo, ${seconds} s …`);
  const echo = await measureEcho();
  say(`heartbeats over HTTP, ${seconds} s …`);
  const before = await updates(sql);
  const beat = wrk(`${url}/api/session/heartbeat`);
  const after = await updates(sql);
  say(`pgbench, one-row prepared UPDATE, ${seconds} s …`);
  const pgbench = measurePgbench(databaseUrl);
  await sql.end();

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
  server.kill("SIGTERM");
  await new Promise((resolve) => server.once("close", resolve));
  rmSync(folder, { recursive: true, force: true });
}

async function ready(child: ChildProcess): Promise<string> {
  let output = "";
  for await (const chunk of child.stdout ?? []) {
    output += chunk;
    const url = /^listening on (\S+)$/m.exec(output)?.[1];
    if (url) {
      child.stdout?.resume();
      return url;
    }
  }
  throw new Error(`the server ended: ${output}`);
}

async function seed(sql: postgres.Sql): Promise<void> {
  await sql`
    INSERT INTO keys (key_hash, key_prefix, generation)
    SELECT sha256(('bench' || n)::bytea), 'bench', 1 FROM generate_series(1, ${sessions}::int) n`;
  await sql`
    INSERT INTO active_sessions (key_id, access_key, session_id, generation, started_at, last_heartbeat)
    SELECT id, 'bench…', 'bench-session-' || lpad(row_number() OVER (ORDER BY id)::text, 12, '0'), 1, now(),
           now() + interval '1 hour'
    FROM keys WHERE key_prefix = 'bench'`;
  await sql`ANALYZE active_sessions`;
}

function wrk(target: string): { perSecond: number; p99Ms: number; errors: number } {
  const script = join(folder, "beat.lua");
  writeFileSync(
    script,
    `wrk.method = "POST"
     wrk.headers["Content-Type"] = "application/json"
     function init(args) math.randomseed(os.time() + tonumber(tostring({}):sub(8), 16) % 100000) end
     function request()
       return wrk.format(nil, nil, nil, string.format('{"session_id":"bench-session-%012d"}', math.random(${sessions})))
     end
     function done(summary, latency)
       io.write(string.format("RESULT %f %f %d\\n", summary.requests / summary.duration * 1e6,
         latency:percentile(99) / 1000, summary.errors.status + summary.errors.connect + summary.errors.timeout))
     end`,
  );
  const args = ["-t", "1", "-c", String(connections), "-d", `${seconds}s`, "-s", script, target];
  const [, rate, p99, errors] = /RESULT (\S+) (\S+) (\d+)/.exec(execFileSync("wrk", args, { encoding: "utf8" })) ?? [];
  return { perSecond: Math.round(Number(rate)), p99Ms: round(Number(p99)), errors: Number(errors) };
}

/** The echo runs in a process of its own, as the server does. */
async function measureEcho(): Promise<{ perSecond: number }> {
  const source = `(${echoServer.toString()})(require("node:http").createServer)`;
  const child = spawn(process.execPath, ["-e", source], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    return wrk(await ready(child));
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
  const script = join(folder, "beat.sql");
  const update = "UPDATE active_sessions SET last_heartbeat = clock_timestamp() + interval '1 hour' WHERE key_id = :id;";
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

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
