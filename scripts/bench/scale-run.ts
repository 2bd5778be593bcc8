/** Sets a scale run up, carries it out and gathers its figures. */
import { setTimeout as sleep } from "node:timers/promises";
import type postgres from "postgres";
import { addUp, type Latency, latencyOf } from "./generator/histogram.ts";
import { type Generator, startGenerator } from "./generator/index.ts";
import type { ScaleReport, ScaleSecond } from "./generator/protocol.ts";
import { cpuMicros, hasProc, memoryOf, sharedMemoryOf } from "./processes.ts";
import { clear, round, say, show, thousands } from "./progress.ts";
import { seedKeys, seedSessions, settleTables } from "./seed.ts";
import { type BenchDatabase, type BenchService, openBenchDatabase, startService } from "./service.ts";
import { type Counters, readCounters, readTableSize } from "./table-counters.ts";
import type { Teardown } from "./teardown.ts";

const HEARTBEAT_SECONDS = 30;
const TIMEOUT_SECONDS = 60;

export interface ScaleOptions {
  sessions: number;
  seconds: number;
  warmUpSeconds: number;
  workers: number;
  connections: number;
  watchers: number;
  takeoversPerSecond: number;
  statusPerSecond: number;
  /** How many sessions are silent and expire all at once, in the middle of the run. */
  sweep: number;
}

export interface ScaleResult {
  options: ScaleOptions;
  due_per_second: number;
  delivered_per_second: number;
  latency: Latency;
  report: ScaleReport;
  /** CPU, in cores used; undefined where /proc is missing. */
  cores: { server: number; database: number; generator: number } | undefined;
  /** Microseconds of CPU a heartbeat, everything beside it included. */
  cpu_micros_a_heartbeat: { server: number; database: number; generator: number } | undefined;
  memory: { processes_mib: number[]; peak_mib: number[]; database_mib: number } | undefined;
  table: {
    bytes_a_session: { at_start: number; at_end: number };
    index_bytes_a_session: { at_start: number; at_end: number };
    updates: number;
    /** The heartbeats' share. */
    heap_only_share: number;
    autovacuums: number;
    checkpoints: number;
    wal_bytes_a_heartbeat: number;
    wal_page_images: number;
  };
  /** Sessions that the database expired during the run, except those meant to. */
  expired_in_database: number;
  sweep: SweepResult | undefined;
}

export interface SweepResult {
  sessions: number;
  /** The duration of the cleanups that moved them. */
  runs: number;
  seconds: number;
  p99_ms_quiet: number;
  p99_ms_beside: number;
}

export async function runScale(options: ScaleOptions, teardown: Teardown): Promise<ScaleResult> {
  const database = await openBenchDatabase(teardown);
  const generator = startGenerator(teardown);
  const prepared = generator.hear("prepared");
  generator.tell({ kind: "prepare", sessions: options.sessions });
  const startAt = await seedScale(database.sql, options);
  await prepared;

  const before = await readCounters(database.sql);
  const sizeBefore = await readTableSize(database.sql);
  const service = await startService(
    database.url,
    {
      WORKERS: String(options.workers),
      SESSION_TIMEOUT_SECONDS: String(TIMEOUT_SECONDS),
      HEARTBEAT_SECONDS: String(HEARTBEAT_SECONDS),
    },
    teardown,
  );
  const measured = await beatThem({ options, startAt, database, service, generator });
  const sizeAfter = await readTableSize(database.sql);
  const memory = hasProc ? readMemory(service.pid, database.pid) : undefined;
  await service.stop(); // connections report their counts to the database when they end
  const after = await readCounters(database.sql);
  const [expired] = await database.sql`SELECT count(*)::int AS n FROM session_history WHERE reason = 'expired'`;

  const { report, window } = measured;
  const perBeat = (micros: number) => round(micros / Math.max(1, report.beaten));
  const cores = (micros: number) => round(micros / 1e6 / options.seconds);
  const cpu = { ...window.cpu, generator: report.cpu_micros };
  return {
    options,
    due_per_second: Math.round(report.due / options.seconds),
    delivered_per_second: Math.round(report.beaten / options.seconds),
    latency: report.latency,
    report,
    cores: hasProc ? mapValues(cpu, cores) : undefined,
    cpu_micros_a_heartbeat: hasProc ? mapValues(cpu, perBeat) : undefined,
    memory,
    table: {
      bytes_a_session: {
        at_start: Math.round(sizeBefore.tableBytes / sizeBefore.rows),
        at_end: Math.round(sizeAfter.tableBytes / options.sessions),
      },
      index_bytes_a_session: {
        at_start: Math.round(sizeBefore.indexBytes / sizeBefore.rows),
        at_end: Math.round(sizeAfter.indexBytes / options.sessions),
      },
      updates: after.updates - before.updates,
      // A takeover changes the session id, which is indexed.
      heap_only_share: round((after.heapOnlyUpdates - before.heapOnlyUpdates) / report.total_beaten, 4),
      autovacuums: after.autovacuums - before.autovacuums,
      checkpoints: after.checkpoints - before.checkpoints,
      wal_bytes_a_heartbeat: Math.round(window.walBytes / Math.max(1, report.beaten)),
      wal_page_images: window.walPageImages,
    },
    expired_in_database: expired?.n - options.sweep,
    sweep: options.sweep > 0 ? judgeSweep(options, service, measured.seconds, startAt) : undefined,
  };
}

/** Returns the moment of the first heartbeat, by the database's clock: the first session is then silent for 30 s. */
async function seedScale(sql: postgres.Sql, options: ScaleOptions): Promise<number> {
  const { sessions } = options;
  const began = performance.now();
  const progress = (what: string) => (made: number) => show(`${what}: ${thousands(made)} of ${thousands(sessions)}`);
  await seedKeys(sql, { from: 0, count: sessions }, progress("keys"));
  const keysMs = performance.now() - began;
  // Leaves time to make the sessions, start the service and connect the watchers.
  const startAt = Date.now() + 2 * keysMs + 6_000 + options.watchers * 5;
  const beating = sessions - options.sweep;
  const expireAt = startAt + (options.warmUpSeconds + options.seconds / 2) * 1000;
  await seedSessions(
    sql,
    { from: 0, count: sessions },
    {
      firstBeat: new Date(startAt - HEARTBEAT_SECONDS * 1000).toISOString(),
      spacingMs: (HEARTBEAT_SECONDS * 1000) / beating,
      silent: { from: beating, lastBeat: new Date(expireAt - TIMEOUT_SECONDS * 1000).toISOString() },
    },
    progress("sessions"),
  );
  await settleTables(sql);
  say(`${thousands(sessions)} live sessions, made in ${round((performance.now() - began) / 1000, 1)} s`);
  return startAt;
}

interface Window {
  cpu: { server: number; database: number };
  walBytes: number;
  walPageImages: number;
}

async function beatThem(run: {
  options: ScaleOptions;
  startAt: number;
  database: BenchDatabase;
  service: BenchService;
  generator: Generator;
}): Promise<{ report: ScaleReport; seconds: ScaleSecond[]; window: Window }> {
  const { options, startAt, database, service, generator } = run;
  const { hostname, port } = new URL(service.url);
  const watching = generator.hear("watching");
  generator.tell({
    kind: "scale",
    target: { host: hostname, port: Number(port) },
    beating: options.sessions - options.sweep,
    heartbeatSeconds: HEARTBEAT_SECONDS,
    timeoutSeconds: TIMEOUT_SECONDS,
    connections: options.connections,
    startAt,
    warmUpSeconds: options.warmUpSeconds,
    seconds: options.seconds,
    takeoversPerSecond: options.takeoversPerSecond,
    watchers: options.watchers,
    statusPerSecond: options.statusPerSecond,
  });
  await watching;
  const lateMs = Date.now() - startAt;
  if (lateMs > 15_000) throw new Error(`setting up took ${Math.round(lateMs / 1000)} s longer than was reckoned with`);
  show(`${options.watchers} watchers; the first heartbeat is due in ${Math.max(0, Math.round(-lateMs / 1000))} s`);
  await sleep(-lateMs);

  const snapshot = async () => ({
    cpu: { server: cpuMicros(service.pid), database: cpuMicros(database.pid) },
    counters: await readCounters(database.sql),
  });
  const seconds: ScaleSecond[] = [];
  const last = options.warmUpSeconds + options.seconds - 1;
  const snapshots: Array<ReturnType<typeof snapshot>> = [];
  generator.on("second", (second) => {
    seconds.push(second);
    showSecond(second, options.warmUpSeconds);
    if (second.second === options.warmUpSeconds - 1 || second.second === last) snapshots.push(snapshot());
  });
  if (options.warmUpSeconds === 0) snapshots.push(snapshot());
  const scaled = generator.hear("scaled");
  generator.tell({ kind: "start", startAt });
  const { report } = await scaled;
  clear();
  const [from, to] = await Promise.all(snapshots);
  if (!from || !to) throw new Error("the run was shorter than its warm-up");
  return { report, seconds, window: differenceOf(from, to) };
}

function differenceOf(
  from: { cpu: Window["cpu"]; counters: Counters },
  to: { cpu: Window["cpu"]; counters: Counters },
): Window {
  return {
    cpu: { server: to.cpu.server - from.cpu.server, database: to.cpu.database - from.cpu.database },
    walBytes: to.counters.walBytes - from.counters.walBytes,
    walPageImages: to.counters.walPageImages - from.counters.walPageImages,
  };
}

function showSecond(second: ScaleSecond, warmUpSeconds: number): void {
  const { p50_ms, p99_ms, max_ms } = latencyOf(addUp([second.latency]));
  const name = second.second < warmUpSeconds ? "warm-up" : "second ";
  const number = second.second < warmUpSeconds ? second.second + 1 : second.second - warmUpSeconds + 1;
  const waiting = second.waiting > 0 ? `, ${thousands(second.waiting)} waiting` : "";
  show(
    `${name} ${number}: ${thousands(second.beaten)} heartbeats, p50 ${p50_ms} p99 ${p99_ms} max ${max_ms} ms${waiting}`,
  );
}

function readMemory(server: number, database: number): ScaleResult["memory"] {
  const processes = memoryOf(server);
  return {
    processes_mib: processes.map(({ bytes }) => Math.round(bytes / 2 ** 20)),
    peak_mib: processes.map(({ peakBytes }) => Math.round(peakBytes / 2 ** 20)),
    database_mib: Math.round(sharedMemoryOf(database) / 2 ** 20),
  };
}

/** The cleanup logs when it finished, how long it took and how many sessions it moved. */
function judgeSweep(
  options: ScaleOptions,
  service: BenchService,
  seconds: ScaleSecond[],
  startAt: number,
): SweepResult {
  const runs = service.log
    .filter((line) => line.msg === "cleanup finished" && Number(line.deleted) > 0)
    .map((line) => ({ end: Date.parse(String(line.time)), ms: Number(line.ms), deleted: Number(line.deleted) }));
  const isBeside = (second: number) =>
    runs.some((run) => {
      const at = startAt + second * 1000;
      return at < run.end + 1000 && at + 1000 > run.end - run.ms;
    });
  const inWindow = seconds.filter((second) => second.second >= options.warmUpSeconds);
  const p99 = (some: ScaleSecond[]) => latencyOf(addUp(some.map((second) => second.latency))).p99_ms;
  return {
    sessions: runs.reduce((sum, run) => sum + run.deleted, 0),
    runs: runs.length,
    seconds: round(runs.reduce((sum, run) => sum + run.ms, 0) / 1000),
    p99_ms_quiet: p99(inWindow.filter((second) => !isBeside(second.second))),
    p99_ms_beside: p99(inWindow.filter((second) => isBeside(second.second))),
  };
}

function mapValues<K extends string>(from: Record<K, number>, change: (value: number) => number): Record<K, number> {
  return Object.fromEntries(Object.entries(from).map(([key, value]) => [key, change(value as number)])) as Record<
    K,
    number
  >;
}
