/**
 * Requests a second, compared in one run with what the same machine does without Keybeat: an echo server, an echo with
 * Hono and zod, heartbeats with one and two processes, starts, statuses and ends, and pgbench with the same statements.
 * Short rounds take the lines in turn, so that other work on the machine affects all alike; the figures are medians of
 * the rounds. Trust the ratios rather than the absolute figures.
 *
 *   npm run bench [-- --seconds 6 --rounds 3 --sessions 20000 --only heartbeat --only pgbench --generator bundled --json]
 *
 * Uses wrk and pgbench where they are installed (Debian: apt-get install wrk postgresql-contrib).
 */
import { parseArgs } from "node:util";
import { type Measured, type RoundContext, runRound } from "./bench-round.ts";
import { chooseLines, printTable, summarize } from "./bench-summary.ts";
import { type Generator, startGenerator } from "./generator/index.ts";
import { bundledTool, type LoadTool, wrkTool } from "./load.ts";
import { clear, say, show, thousands } from "./progress.ts";
import { seedKeys, seedSessions, settleTables } from "./seed.ts";
import { type BenchDatabase, buildProgram, openBenchDatabase } from "./service.ts";
import { readCounters } from "./table-counters.ts";
import { runBenchmark, type Teardown } from "./teardown.ts";

const { values } = parseArgs({
  allowNegative: true,
  options: {
    sessions: { type: "string", default: "20000" },
    seconds: { type: "string", default: "6" },
    rounds: { type: "string", default: "3" },
    "warm-up": { type: "string", default: "0.7" },
    generator: { type: "string" },
    only: { type: "string", multiple: true },
    build: { type: "boolean", default: true },
    json: { type: "boolean", default: false },
  },
});
/** The most ends a second: their sessions are made beforehand. */
const ENDS_A_SECOND_MAX = 20_000;

const HOW_TO_GET_WRK = "Debian: apt-get install wrk; macOS: brew install wrk";

await runBenchmark(async (teardown) => {
  const lines = chooseLines(values.only);
  if (values.build) buildProgram();
  const database = await openBenchDatabase(teardown);
  const [rounds, seconds] = [Number(values.rounds), Number(values.seconds) / Number(values.rounds)];
  const measured = new Map<string, Measured[]>();
  const context = await prepare(database, teardown, seconds, measured);
  const before = await readCounters(database.sql);
  for (let round = 1; round <= rounds; round++) {
    say(`round ${round} of ${rounds}, ${seconds.toFixed(1)} s a line`);
    await runRound(context, lines);
  }
  clear();
  const after = await readCounters(database.sql);

  const sum = (request: string) =>
    lines
      .filter((line) => ("request" in line.does ? line.does.request : line.does.server) === request)
      .flatMap((line) => measured.get(line.name) ?? [])
      .reduce((total, one) => total + one.report.answered, 0);
  const heartbeats = sum("heartbeat") + context.warmedUp.heartbeats;
  const result = {
    sessions: Number(values.sessions),
    rounds,
    seconds_a_round: seconds,
    generator: context.tool.name,
    lines: summarize(lines, measured),
    answered: {
      heartbeats,
      starts: sum("start") + context.warmedUp.starts,
      statuses: sum("status"),
      ends: sum("end"),
      pgbench: sum("pgbench"),
    },
    database: {
      updates: after.updates - before.updates,
      heap_only_updates: after.heapOnlyUpdates - before.heapOnlyUpdates,
    },
  };
  if (values.json) {
    console.log(JSON.stringify(result));
    return;
  }
  printTable(result.lines);
  const { answered, database: counted } = result;
  console.log(
    `load by ${result.generator}; the database counted ${thousands(counted.updates)} updates for ` +
      `${thousands(answered.heartbeats + answered.starts + answered.pgbench)} heartbeats, takeovers and pgbench's`,
  );
});

async function prepare(
  database: BenchDatabase,
  teardown: Teardown,
  seconds: number,
  measured: Map<string, Measured[]>,
): Promise<RoundContext> {
  const generator = startGenerator(teardown);
  const count = Number(values.sessions);
  const sets = {
    beating: { from: 0, count },
    taken: { from: count, count },
    ending: { from: 2 * count, count: Math.ceil(ENDS_A_SECOND_MAX * seconds) },
  };
  show(`${thousands(2 * count + sets.ending.count)} keys, ${thousands(2 * count)} live sessions …`);
  // Timeout of an hour, so that no session expires while another line is measured.
  const inAnHour = new Date(Date.now() + 3_600_000).toISOString();
  for (const range of [sets.beating, sets.taken, sets.ending]) await seedKeys(database.sql, range, () => {});
  for (const range of [sets.beating, sets.taken]) {
    await seedSessions(database.sql, range, { firstBeat: inAnHour, spacingMs: 0 }, () => {});
  }
  await settleTables(database.sql);
  return {
    database,
    sets,
    seconds,
    teardown,
    warmUpSeconds: Number(values["warm-up"]),
    ...chooseTools(database.folder, generator, teardown.signal),
    echoes: new Map(),
    warmedUp: { heartbeats: 0, starts: 0 },
    onMeasured(line, one) {
      measured.set(line.name, [...(measured.get(line.name) ?? []), one]);
      const cpu = one.cpu
        ? `, CPU µs ${one.cpu.server.toFixed(1)} ${one.cpu.database.toFixed(1)} ${one.cpu.generator.toFixed(1)}`
        : "";
      show(`${line.name}: ${thousands(one.report.per_second)} a second, p99 ${one.report.latency.p99_ms} ms${cpu}`);
    },
  };
}

function chooseTools(folder: string, generator: Generator, signal: AbortSignal): { tool: LoadTool; bundled: LoadTool } {
  const bundled = bundledTool(generator);
  const wrk = values.generator === "bundled" ? undefined : wrkTool({ folder, signal });
  if (values.generator === "wrk" && !wrk) throw new Error(`wrk is not installed: ${HOW_TO_GET_WRK}`);
  if (values.generator === undefined && !wrk) say(`with the bundled generator; wrk, if wanted: ${HOW_TO_GET_WRK}`);
  return { tool: wrk ?? bundled, bundled };
}
