/**
 * What ten thousand watching devices cost one process: memory each, and the heartbeats' 99th percentile beside the same
 * without watchers, in one run.
 *
 *   npm run bench:watchers [-- --watchers 10000 --seconds 10 --connections 64 --json]
 */
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { parseArgs } from "node:util";
import { round, sessionId, startBench, wrk } from "./support.ts";

const { values } = parseArgs({
  options: {
    watchers: { type: "string", default: "10000" },
    seconds: { type: "string", default: "10" },
    connections: { type: "string", default: "64" },
    json: { type: "boolean", default: false },
  },
});
const [watchers, seconds, connections] = [values.watchers, values.seconds, values.connections].map(Number) as [
  number,
  number,
  number,
];
const say = (text: string) => values.json || console.error(text);
const sessions = Math.max(20_000, watchers);
say(`${sessions} live sessions …`);
const bench = await startBench(sessions);
const target = `${bench.url}/api/session/heartbeat`;
const load = { sessions, connections, seconds };

try {
  wrk(bench.folder, target, { ...load, seconds: 3 }); // warm up: the heap has its working size
  say(`heartbeats without watchers, ${seconds} s …`);
  const alone = wrk(bench.folder, target, load);
  const before = residentBytes();
  say(`opening ${watchers} watch streams …`);
  for (let from = 1; from <= watchers; from += 200) {
    const some = Array.from({ length: Math.min(200, watchers - from + 1) }, (_, n) => watch(sessionId(from + n)));
    await Promise.all(some);
  }
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const after = residentBytes();
  say(`heartbeats beside ${watchers} watchers, ${seconds} s …`);
  const beside = wrk(bench.folder, target, load);
  const result = {
    watchers,
    memory_before_mib: round(before / 2 ** 20),
    memory_with_watchers_mib: round(after / 2 ** 20),
    kib_a_watcher: round((after - before) / watchers / 1024),
    heartbeats_alone_per_second: alone.perSecond,
    heartbeats_beside_per_second: beside.perSecond,
    p99_alone_ms: alone.p99Ms,
    p99_beside_ms: beside.p99Ms,
    errors: alone.errors + beside.errors,
  };
  if (values.json) console.log(JSON.stringify(result));
  else for (const [name, value] of Object.entries(result)) console.log(`${name.padEnd(30)} ${value}`);
} finally {
  await bench.close();
}
process.exit(0); // the streams' sockets

/** Resolves when the first event is there; the stream stays open. */
function watch(id: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = request(`${bench.url}/api/session/watch`, {
      headers: { Authorization: `Bearer ${id}` },
      agent: false,
    });
    stream.once("response", (response) => {
      if (response.statusCode !== 200) reject(new Error(`a watch got ${response.statusCode}`));
      response.once("data", () => resolve());
      response.resume();
    });
    stream.once("error", reject);
    stream.end();
  });
}

/** Of the server process; Linux only, as wrk is where this is run. */
function residentBytes(): number {
  const status = readFileSync(`/proc/${bench.server.pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}
