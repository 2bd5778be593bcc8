/** What the benchmarks share: a server of their own with its embedded PostgreSQL, live sessions in it, and wrk. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";

export interface Bench {
  url: string;
  databaseUrl: string;
  /** For files of the run; removed with the rest. */
  folder: string;
  server: ChildProcess;
  sql: postgres.Sql;
  close(): Promise<void>;
}

/** Builds, starts `keybeat serve` on a fresh embedded database, and makes so many live sessions (see sessionId). */
export async function startBench(sessions: number, env: Record<string, string> = {}): Promise<Bench> {
  const folder = mkdtempSync(join(tmpdir(), "keybeat-bench-"));
  execFileSync("npm", ["run", "--silent", "build"], { stdio: "inherit" });
  const program = new URL("../../dist/src/cli/keybeat.js", import.meta.url).pathname;
  const server = spawn(process.execPath, [program, "serve"], {
    env: { PATH: process.env.PATH, DATA_DIR: folder, PORT: "0", ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  process.once("SIGINT", () => server.kill("SIGINT"));
  const url = await ready(server);
  const databaseUrl = readFileSync(join(folder, "database-url"), "utf8").trim();
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  await seed(sql, sessions);
  return {
    ...{ url, databaseUrl, folder, server, sql },
    async close() {
      await sql.end({ timeout: 1 });
      server.kill("SIGTERM");
      await new Promise((resolve) => server.once("close", resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Resolves with the address that a child says it listens at. */
export async function ready(child: ChildProcess): Promise<string> {
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

/** The id of the n-th session, from 1. */
export const sessionId = (n: number) => `bench-session-${String(n).padStart(12, "0")}`;

/** Live for an hour, so that none expires while another is measured. */
async function seed(sql: postgres.Sql, sessions: number): Promise<void> {
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

/** Random heartbeats with wrk. A rate a second, the 99th percentile in milliseconds, and what was no 200. */
export function wrk(
  folder: string,
  target: string,
  load: { sessions: number; connections: number; seconds: number },
): { perSecond: number; p99Ms: number; errors: number } {
  const script = join(folder, "beat.lua");
  writeFileSync(
    script,
    `wrk.method = "POST"
     wrk.headers["Content-Type"] = "application/json"
     function init(args) math.randomseed(os.time() + tonumber(tostring({}):sub(8), 16) % 100000) end
     function request()
       return wrk.format(nil, nil, nil, string.format('{"session_id":"bench-session-%012d"}', math.random(${load.sessions})))
     end
     function done(summary, latency)
       io.write(string.format("RESULT %f %f %d\\n", summary.requests / summary.duration * 1e6,
         latency:percentile(99) / 1000, summary.errors.status + summary.errors.connect + summary.errors.timeout))
     end`,
  );
  const args = ["-t", "1", "-c", String(load.connections), "-d", `${load.seconds}s`, "-s", script, target];
  const [, rate, p99, errors] = /RESULT (\S+) (\S+) (\d+)/.exec(execFileSync("wrk", args, { encoding: "utf8" })) ?? [];
  return { perSecond: Math.round(Number(rate)), p99Ms: round(Number(p99)), errors: Number(errors) };
}

export function round(value: number): number {
  return Math.round(value * 100) / 100;
}
