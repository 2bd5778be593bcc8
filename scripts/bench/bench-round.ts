/** One round of `npm run bench`: every line once, a few seconds each. */
import type postgres from "postgres";
import { createSeed } from "../../src/trust/signing-keys.ts";
import type { Line } from "./bench-lines.ts";
import type { LoadJob, LoadReport } from "./generator/protocol.ts";
import type { LoadTool } from "./load.ts";
import { DEVICE_SQL, MASKED_KEY, SESSION_ID_SQL } from "./names.ts";
import { runPgbench, startScript, updateScript } from "./pgbench.ts";
import { cpuMicros, hasProc } from "./processes.ts";
import { findProgram } from "./programs.ts";
import { show } from "./progress.ts";
import type { Range } from "./seed.ts";
import { type BenchDatabase, ready, startNode, startService } from "./service.ts";
import type { Teardown } from "./teardown.ts";

/** Separate sessions for heartbeats and statuses, for takeovers, and for ends. */
export interface Sets {
  beating: Range;
  taken: Range;
  ending: Range;
}

export interface Measured {
  report: LoadReport;
  /** Microseconds of CPU a request; undefined where /proc is missing. */
  cpu: { server: number; database: number; generator: number } | undefined;
}

export interface RoundContext {
  database: BenchDatabase;
  sets: Sets;
  tool: LoadTool;
  /** For warm-ups, which may be shorter than a second. */
  bundled: LoadTool;
  seconds: number;
  warmUpSeconds: number;
  teardown: Teardown;
  echoes: Map<string, { url: string; pid: number }>;
  /** Answers during warm-ups: the database counts them too. */
  warmedUp: { heartbeats: number; starts: number };
  onMeasured(line: Line, measured: Measured): void;
}

/** The echo servers stay up from the first round on: they cost nothing when idle. */
export async function runRound(context: RoundContext, lines: Line[]): Promise<void> {
  let rest = lines;
  while (rest.length > 0) {
    const [first] = rest as [Line];
    const group = rest.slice(0, rest.findIndex((line) => !isSameServer(line, first)) >>> 0);
    rest = rest.slice(group.length);
    if (first.does.server === "keybeat") await measureKeybeat(context, group, first.does.processes);
    else for (const line of group) await measureOther(context, line);
  }
}

function isSameServer(one: Line, other: Line): boolean {
  return (
    one.does.server === other.does.server &&
    ("processes" in one.does && one.does.processes) === ("processes" in other.does && other.does.processes)
  );
}

/** The service runs only while it is measured: an idle one would wake up for every ending in the database. */
async function measureKeybeat(context: RoundContext, lines: Line[], processes: number): Promise<void> {
  const { database, sets, tool } = context;
  show(`starting the service with ${processes} …`);
  const env = { WORKERS: String(processes), LOG_LEVEL: "warn", SIGNING_KEY: createSeed() };
  const service = await startService(database.url, env, context.teardown);
  await warmUp(context, lines, service.url);
  for (const line of lines) {
    if (line.does.server !== "keybeat") continue;
    const { request, signed } = line.does;
    const sessions =
      request === "start"
        ? sets.taken
        : request === "end"
          ? await supplyEndings(database.sql, sets.ending)
          : sets.beating;
    const load = {
      request,
      signed,
      sessions,
      connections: line.connections,
      seconds: context.seconds,
      url: service.url,
    };
    await measure(context, line, service.pid, () => tool.run(load));
    if (request === "end") await checkSupply(database.sql, sets.ending);
  }
  await service.stop();
}

/** A measurement of two seconds must not include compiling. */
async function warmUp(
  { sets, bundled, warmUpSeconds, warmedUp }: RoundContext,
  lines: Line[],
  url: string,
): Promise<void> {
  if (warmUpSeconds === 0) return;
  const load = { connections: 64, seconds: warmUpSeconds, url };
  const beaten = await bundled.run({ ...load, request: "heartbeat", sessions: sets.beating });
  warmedUp.heartbeats += beaten.answered;
  const asked = (request: LoadJob["request"]) =>
    lines.some((line) => line.does.server === "keybeat" && line.does.request === request);
  if (asked("start")) {
    const started = await bundled.run({ ...load, request: "start", sessions: sets.taken });
    warmedUp.starts += started.answered;
  }
  if (asked("status")) await bundled.run({ ...load, request: "status", sessions: sets.beating });
  // With unknown session ids: the existing sessions are for the measurement.
  if (asked("end")) await bundled.run({ ...load, request: "end", sessions: { from: 1_000_000_000, count: 2000 } });
}

async function measureOther(context: RoundContext, line: Line): Promise<void> {
  const { database, sets, tool, seconds } = context;
  if (line.does.server === "pgbench") {
    const pgbench = findProgram("pgbench");
    if (!pgbench) return;
    const [ids] = await database.sql`
      SELECT min(id)::int AS from, count(*)::int AS count FROM bench_keys
      WHERE n >= ${sets.beating.from} AND n < ${sets.beating.from + sets.beating.count}`;
    const script = line.does.statement === "update" ? updateScript(ids as unknown as Range) : startScript(sets.taken);
    const run = { seconds: Math.max(1, Math.round(seconds)), databaseUrl: database.url, folder: database.folder };
    await measure(context, line, undefined, () =>
      runPgbench(pgbench, script, { ...run, signal: context.teardown.signal }),
    );
  } else if (line.does.server !== "keybeat") {
    const { url, pid } = await echoOf(context, line.does.server, line.does.processes);
    const load = { request: "heartbeat" as const, sessions: sets.beating, connections: line.connections, seconds, url };
    await measure(context, line, pid, () => tool.run(load));
  }
}

async function echoOf(context: RoundContext, kind: string, processes: number): Promise<{ url: string; pid: number }> {
  const name = `${kind} ${processes}`;
  const running = context.echoes.get(name);
  if (running) return running;
  const program = new URL("./echo.ts", import.meta.url).pathname;
  const child = startNode(["--import", "tsx", program, kind, String(processes)], context.teardown);
  const echo = { url: await ready(child), pid: child.pid as number };
  context.echoes.set(name, echo);
  const warm = { request: "heartbeat" as const, sessions: context.sets.beating, connections: 64, url: echo.url };
  if (context.warmUpSeconds > 0) await context.bundled.run({ ...warm, seconds: context.warmUpSeconds });
  return echo;
}

async function measure(
  context: RoundContext,
  line: Line,
  server: number | undefined,
  run: () => Promise<LoadReport>,
): Promise<void> {
  show(`${line.name} …`);
  const look = () => ({
    server: server === undefined ? 0 : cpuMicros(server),
    database: cpuMicros(context.database.pid),
  });
  const before = look();
  const report = await run();
  const after = look();
  const perRequest = (micros: number) => micros / Math.max(1, report.answered);
  context.onMeasured(line, {
    report,
    cpu: hasProc
      ? {
          server: perRequest(after.server - before.server),
          database: perRequest(after.database - before.database),
          generator: perRequest(report.cpu_micros),
        }
      : undefined,
  });
}

let supplies = 0;

/** Replaces what an earlier round left with sessions whose ids were never used. */
async function supplyEndings(sql: postgres.Sql, keys: Range): Promise<Range> {
  supplies++;
  const shift = supplies * keys.count;
  const own = sql`SELECT id, n FROM bench_keys WHERE n >= ${keys.from} AND n < ${keys.from + keys.count}`;
  await sql`DELETE FROM active_sessions WHERE key_id IN (SELECT id FROM (${own}) k)`;
  await sql`
    INSERT INTO active_sessions (key_id, access_key, session_id, generation, started_at, last_heartbeat, device)
    SELECT id, ${MASKED_KEY}, ${sql.unsafe(SESSION_ID_SQL)}, 1, now(), now() + interval '1 hour', ${sql.unsafe(DEVICE_SQL)}
    FROM (SELECT id, n + ${shift}::bigint AS n FROM (${own}) k) k ORDER BY id`;
  return { from: keys.from + shift, count: keys.count };
}

async function checkSupply(sql: postgres.Sql, keys: Range): Promise<void> {
  const [row] = await sql`
    SELECT count(*)::int AS left FROM active_sessions
    WHERE key_id IN (SELECT id FROM bench_keys WHERE n >= ${keys.from} AND n < ${keys.from + keys.count})`;
  if (row?.left === 0) throw new Error("the sessions to end ran out: fewer --seconds, please");
}
