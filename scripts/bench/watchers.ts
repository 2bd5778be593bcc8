/**
 * Measures what ten thousand watching devices cost one process: memory each, and the heartbeats' 99th percentile with
 * and without watchers, in one run. Linux only.
 *
 *   npm run bench:watchers [-- --watchers 10000 --seconds 10 --connections 64 --json]
 */
import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { startGenerator } from "./generator/index.ts";
import { bundledTool, wrkTool } from "./load.ts";
import { sessionId } from "./names.ts";
import { hasProc, memoryOf } from "./processes.ts";
import { clear, round, show } from "./progress.ts";
import { seedKeys, seedSessions, settleTables } from "./seed.ts";
import { buildProgram, openBenchDatabase, startService } from "./service.ts";
import { runBenchmark } from "./teardown.ts";

const { values } = parseArgs({
  allowNegative: true,
  options: {
    watchers: { type: "string", default: "10000" },
    seconds: { type: "string", default: "10" },
    connections: { type: "string", default: "64" },
    build: { type: "boolean", default: true },
    json: { type: "boolean", default: false },
  },
});
const OPENING_AT_ONCE = 200;

await runBenchmark(async (teardown) => {
  if (!hasProc) throw new Error("this needs /proc, to see the memory of the server");
  const [watchers, seconds, connections] = [values.watchers, values.seconds, values.connections].map(Number) as [
    number,
    number,
    number,
  ];
  const sessions = { from: 0, count: Math.max(20_000, watchers) };
  if (values.build) buildProgram();
  const database = await openBenchDatabase(teardown);
  show(`${sessions.count} live sessions …`);
  await seedKeys(database.sql, sessions, () => {});
  const inAnHour = new Date(Date.now() + 3_600_000).toISOString();
  await seedSessions(database.sql, sessions, { firstBeat: inAnHour, spacingMs: 0 }, () => {});
  await settleTables(database.sql);
  const service = await startService(database.url, { LOG_LEVEL: "warn" }, teardown);
  const generator = startGenerator(teardown);
  const tool = wrkTool({ folder: database.folder, signal: teardown.signal }) ?? bundledTool(generator);
  const load = { request: "heartbeat" as const, sessions, connections, url: service.url };
  const residentBytes = () => memoryOf(service.pid)[0]?.bytes ?? Number.NaN;

  await tool.run({ ...load, seconds: Math.min(3, seconds) }); // warm up: lets the heap reach its working size
  show(`heartbeats without watchers, ${seconds} s …`);
  const alone = await tool.run({ ...load, seconds });
  const before = residentBytes();
  show(`opening ${watchers} watch streams …`);
  for (let from = 0; from < watchers; from += OPENING_AT_ONCE) {
    const some = Array.from({ length: Math.min(OPENING_AT_ONCE, watchers - from) }, (_, n) =>
      watch(service.url, sessionId(from + n)),
    );
    await Promise.all(some);
  }
  await sleep(2000);
  const after = residentBytes();
  show(`heartbeats beside ${watchers} watchers, ${seconds} s …`);
  const beside = await tool.run({ ...load, seconds });
  clear();
  const result = {
    watchers,
    memory_before_mib: round(before / 2 ** 20),
    memory_with_watchers_mib: round(after / 2 ** 20),
    kib_a_watcher: round((after - before) / watchers / 1024),
    heartbeats_alone_per_second: Math.round(alone.per_second),
    heartbeats_beside_per_second: Math.round(beside.per_second),
    p99_alone_ms: alone.latency.p99_ms,
    p99_beside_ms: beside.latency.p99_ms,
    failures: { ...alone.failures, ...beside.failures },
  };
  if (values.json) console.log(JSON.stringify(result));
  else for (const [name, value] of Object.entries(result)) console.log(`${name.padEnd(30)} ${JSON.stringify(value)}`);
});

/** Resolves on the first event; the stream stays open. */
function watch(url: string, id: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = request(`${url}/api/session/watch`, {
      headers: { Authorization: `Bearer ${id}` },
      agent: false,
    });
    stream.once("response", (response) => {
      if (response.statusCode !== 200) reject(new Error(`a watch got ${response.statusCode}`));
      response.once("data", () => resolve());
      response.resume();
      response.once("error", () => {}); // the server ends before us
    });
    stream.once("error", reject);
    stream.end();
  });
}
