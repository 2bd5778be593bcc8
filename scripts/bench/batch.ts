/**
 * Batch runs over HTTP: the service, its embedded PostgreSQL and this client on one machine. Measures node results a
 * second, on many runs and on one; views and events of a run of ten thousand nodes; a hundred thousand live runs. Beside
 * it pgbench, where it is installed, sends the statement of a node's result without the service.
 *
 *   npm run bench:batch [-- --runs 50 --nodes 10000 --watchers 1000 --live 100000 --seconds 10 --json]
 */
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { type Kept, putScript, RESULT, readKept, runId, seedResults, seedRuns } from "./batch-runs.ts";
import { tellWatchers } from "./batch-watchers.ts";
import { type Answer, type Call, describeCalls, type Load, load, openCalls } from "./calls.ts";
import { PGBENCH_CLIENTS, runPgbench } from "./pgbench.ts";
import { findProgram } from "./programs.ts";
import { clear, round, show } from "./progress.ts";
import { type BenchDatabase, buildProgram, openBenchDatabase, startService } from "./service.ts";
import { runBenchmark } from "./teardown.ts";

const { values } = parseArgs({
  allowNegative: true,
  options: {
    runs: { type: "string", default: "50" },
    nodes: { type: "string", default: "10000" },
    watchers: { type: "string", default: "1000" },
    live: { type: "string", default: "100000" },
    seconds: { type: "string", default: "10" },
    build: { type: "boolean", default: true },
    json: { type: "boolean", default: false },
  },
});
const [runs, nodes, watchers, live, seconds] = [
  values.runs,
  values.nodes,
  values.watchers,
  values.live,
  values.seconds,
].map(Number) as [number, number, number, number, number];
const NODES_MAX = 100_000;
const GROUPS = 50;
const TOLD_NODES = 20;
/** Runs have numbers: first those that all write to, then one for each other purpose, then the live ones. */
const [ONE, LARGE, PLANNED, WATCHED, SIZED, LIVE] = [1, 2, 3, 4, 5, 100].map((n) => runs + n) as [
  number,
  number,
  number,
  number,
  number,
  number,
];

await runBenchmark(async (teardown) => {
  if (nodes % GROUPS !== 0) throw new Error(`--nodes is a multiple of ${GROUPS}, the number of groups`);
  if (values.build) buildProgram();
  const database = await openBenchDatabase(teardown);
  const env = { BATCH_SILENCE_SECONDS: "86400", LOG_LEVEL: "error" };
  const service = await startService(database.url, env, teardown);
  const connections = Math.max(runs, 1);
  const call = openCalls(`${service.url}/api/v1`, connections, teardown);
  const put = putsOf(call);
  const reading = { seconds, connections: 1 };

  show(`node results over ${runs} runs, ${seconds} s …`);
  await seedRuns(database.sql, { from: 1, count: runs + 1, nodes: NODES_MAX });
  const empty = await readKept(database.sql);
  const many = await load({ seconds, connections }, (n) => put(runId(n + 1)));
  const kept = await readKept(database.sql);
  show(`node results on one run, ${seconds} s …`);
  const one = await load({ seconds, connections }, () => put(runId(ONE)));
  show(`the statement of a node's result over ${runs} runs, by pgbench, ${seconds} s …`);
  const pgbench = await runFloor(database, teardown.signal);

  show(`one worker's results in a run that has 100, 1,000, 10,000 …`);
  const sizes = [100, 1_000, 10_000];
  const bySize: Load[] = [];
  for (const [at, count] of sizes.entries()) {
    await seedRuns(database.sql, { from: SIZED + at, count: 1, nodes: NODES_MAX });
    await seedResults(database.sql, SIZED + at, { count });
    bySize.push(await load({ seconds: seconds / 2, connections: 1 }, () => put(runId(SIZED + at))));
  }

  show(`views of a run of ${nodes} nodes …`);
  await seedRuns(database.sql, { from: LARGE, count: 1, nodes });
  await seedResults(database.sql, LARGE, { count: nodes });
  await seedRuns(database.sql, { from: PLANNED, count: 1, nodes, groups: GROUPS });
  await seedResults(database.sql, PLANNED, { count: nodes, groups: GROUPS });
  const viewing = `/batch/sessions/${runId(LARGE)}?results=false`;
  const view = await load(reading, () => call("GET", viewing));
  const { body: viewed } = await call("GET", viewing);
  const status = await load(reading, () => call("GET", `/parallel/status/${runId(PLANNED)}`));

  show(`resuming ${nodes} successes …`);
  const resumes = await resumeAgain(call);

  show(`telling ${watchers} watchers of one run …`);
  await seedRuns(database.sql, { from: WATCHED, count: 1, nodes: NODES_MAX });
  const watching = { url: service.url, run: runId(WATCHED), call, teardown };
  const told = await tellWatchers(watching, { watchers, nodes: TOLD_NODES });

  show(`${live} live runs: lists, settling, metrics …`);
  await seedRuns(database.sql, { from: LIVE, count: live, nodes: 100 });
  const list = await load(reading, () => call("GET", "/batch/sessions?limit=20"));
  const running = await load(reading, () => call("GET", "/batch/sessions?limit=20&status=running"));
  const settle = await load(reading, () => settleNothing(database));
  const stats = await load(reading, () => call("GET", "/batch/stats"));
  clear();

  const result = {
    load_average: round(loadavg()[0] as number),
    connections,
    results_per_second: many.perSecond,
    results_p99_ms: many.p99Ms,
    results_times_pgbench: pgbench && round(many.perSecond / pgbench),
    on_one_run_per_second: one.perSecond,
    on_one_run_p99_ms: one.p99Ms,
    on_one_run_results: one.calls,
    pgbench_clients: pgbench && PGBENCH_CLIENTS,
    pgbench_per_second: pgbench && Math.round(pgbench),
    ...Object.fromEntries(sizes.map((size, at) => [`result_beside_${size}_p50_ms`, bySize[at]?.p50Ms])),
    view_p50_ms: view.p50Ms,
    view_p95_ms: view.p95Ms,
    view_bytes: Buffer.byteLength(viewed),
    published_status_p95_ms: status.p95Ms,
    resume_ms: round(resumes.p50Ms),
    watchers,
    told: told.calls,
    told_p50_ms: told.p50Ms,
    told_p99_ms: told.p99Ms,
    live,
    list_p95_ms: list.p95Ms,
    list_of_status_p95_ms: running.p95Ms,
    settle_nothing_p95_ms: settle.p95Ms,
    stats_p95_ms: stats.p95Ms,
    ...describeKept(empty, kept),
  };
  if (values.json) console.log(JSON.stringify(result));
  else for (const [name, value] of Object.entries(result)) console.log(`${name.padEnd(28)} ${value ?? "-"}`);
});

/** Each result is of a node of its own. */
function putsOf(call: Call): (run: string) => Promise<Answer> {
  let next = 0;
  return (run) => {
    const now = Date.now();
    const times = { started_at: new Date(now - 1000).toISOString(), completed_at: new Date(now).toISOString() };
    return call("PUT", `/batch/sessions/${run}/nodes/page-${next++}`, { status: "success", result: RESULT, ...times });
  };
}

/** Transactions a second; undefined where pgbench is not installed. */
async function runFloor({ url, folder }: BenchDatabase, signal: AbortSignal): Promise<number | undefined> {
  const pgbench = findProgram("pgbench");
  if (pgbench === undefined) return undefined;
  return (await runPgbench(pgbench, putScript(runs), { seconds, databaseUrl: url, folder, signal })).per_second;
}

/** Three times over: a run that is resumed is cancelled and resumed again. */
async function resumeAgain(call: Call): Promise<Load> {
  const took: number[] = [];
  let run = runId(LARGE);
  for (let n = 0; n < 3; n++) {
    await call("POST", `/batch/sessions/${run}/cancel`);
    const { ms, body } = await call("POST", `/batch/sessions/${run}/resume`);
    took.push(ms);
    run = JSON.parse(body).session_id;
  }
  return describeCalls(took, 0);
}

/** As before each list, and in each cleanup. */
async function settleNothing({ sql }: BenchDatabase): Promise<Answer> {
  const began = performance.now();
  const [row] = await sql`SELECT * FROM settle_batches(500)`;
  if (row?.looked_at !== 0) throw new Error(`${row?.looked_at} runs were due`);
  return { ms: performance.now() - began, body: "" };
}

function describeKept(before: Kept, after: Kept) {
  const added = after.nodes - before.nodes;
  const each = (bytes: number) => Math.round(bytes / added);
  return {
    bytes_a_result_beyond_content: each(
      after.nodeBytes - before.nodeBytes - (after.contentBytes - before.contentBytes),
    ),
    bytes_of_its_events: each(after.eventBytes - before.eventBytes),
    heap_only_percent: round(
      (100 * (after.heapOnlyUpdates - before.heapOnlyUpdates)) / (after.updates - before.updates),
      1,
    ),
  };
}
