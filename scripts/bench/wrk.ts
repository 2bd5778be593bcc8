/** wrk, if installed (Debian: apt-get install wrk; macOS: brew install wrk), with the bundled generator's requests. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { LoadJob, LoadReport } from "./generator/protocol.ts";
import { NONCE } from "./generator/requests.ts";
import { sessionId } from "./names.ts";
import { runProgram } from "./programs.ts";

/** The bodies, in Lua; `pick` is the number of a session, from 0. */
const BODIES: Record<LoadJob["request"], string> = {
  heartbeat: `'{"session_id":"' .. ids[pick + 1] .. '"}'`,
  end: `'{"session_id":"' .. ids[pick + 1] .. '"}'`,
  start: `string.format('{"access_key":"bench-access-key-%d","device":{"name":"Office PC %d","platform":"windows","app_version":"2.1.0"}}', from + pick, from + pick)`,
  status: `string.format('{"access_key":"bench-access-key-%d"}', from + pick)`,
};

/** wrk takes whole seconds only. */
export async function runWrk(
  wrk: string,
  job: Omit<LoadJob, "kind">,
  run: { folder: string; signal: AbortSignal },
): Promise<LoadReport> {
  const { from, count } = job.sessions;
  const idFile = join(run.folder, "ids.txt");
  writeFileSync(idFile, Array.from({ length: count }, (_, n) => `${sessionId(from + n)}\n`).join(""));
  const script = join(run.folder, "load.lua");
  writeFileSync(script, scriptOf(job, idFile));
  const { host, port } = job.target;
  const url = `http://${host}:${port}/api/session/${job.request}`;
  const args = [
    "-t",
    "1",
    "-c",
    String(job.connections),
    "-d",
    `${Math.max(1, Math.round(job.seconds))}s`,
    "-s",
    script,
    url,
  ];
  const { output, cpuMicros } = await runProgram(wrk, args, run.signal);
  const numbers = /^RESULT (.*)$/m.exec(output)?.[1]?.split(" ").map(Number);
  if (!numbers) throw new Error(`wrk said: ${output}`);
  const [requests, micros, p50, p95, p99, max, refused, broken] = numbers as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const ms = (value: number) => Math.round(value / 10) / 100;
  return {
    per_second: (requests - refused) / (micros / 1e6),
    answered: requests - refused,
    latency: { p50_ms: ms(p50), p95_ms: ms(p95), p99_ms: ms(p99), max_ms: ms(max) },
    failures: { ...(refused > 0 && { "other than 200": refused }), ...(broken > 0 && { "connection broke": broken }) },
    cpu_micros: cpuMicros,
  };
}

function scriptOf(job: Omit<LoadJob, "kind">, idFile: string): string {
  const { from, count } = job.sessions;
  const inTurn = job.request === "end";
  return `
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/json"
    ${job.signed ? `wrk.headers["Keybeat-Nonce"] = "${NONCE}"` : ""}
    local ids, from, last = {}, ${from}, -1
    for id in io.lines("${idFile}") do ids[#ids + 1] = id end
    function init(args) math.randomseed(os.time() + tonumber(tostring({}):sub(8), 16) % 100000) end
    function request()
      local pick = ${inTurn ? `math.min(last + 1, ${count - 1})` : `math.random(${count}) - 1`}
      last = pick
      return wrk.format(nil, nil, nil, ${BODIES[job.request]})
    end
    function done(summary, latency)
      local e = summary.errors
      io.write(string.format("RESULT %d %d %f %f %f %f %d %d\\n", summary.requests, summary.duration, latency:percentile(50),
        latency:percentile(95), latency:percentile(99), latency.max, e.status, e.connect + e.read + e.write + e.timeout))
    end`;
}
