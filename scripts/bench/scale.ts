/**
 * A million live sessions, or any number: each beats every 30 seconds over HTTP, at a steady rate; beside them run
 * takeovers, status calls, watch streams and the cleanup. A heartbeat's latency counts from when it was due, not from
 * when it could be sent.
 *
 *   npm run bench:scale -- --sessions 1000000 --seconds 60 [--workers 2] [--watchers 1000] [--takeovers 200] [--json]
 */
import { parseArgs } from "node:util";
import { printScale } from "./scale-report.ts";
import { runScale } from "./scale-run.ts";
import { buildProgram } from "./service.ts";
import { runBenchmark } from "./teardown.ts";

const { values } = parseArgs({
  allowNegative: true,
  options: {
    sessions: { type: "string", default: "1000000" },
    seconds: { type: "string", default: "60" },
    "warm-up": { type: "string", default: "10" },
    workers: { type: "string", default: "2" },
    connections: { type: "string", default: "512" },
    watchers: { type: "string", default: "1000" },
    takeovers: { type: "string", default: "200" },
    status: { type: "string", default: "50" },
    sweep: { type: "string", default: "0" },
    build: { type: "boolean", default: true },
    json: { type: "boolean", default: false },
  },
});

await runBenchmark(async (teardown) => {
  if (values.build) buildProgram();
  const result = await runScale(
    {
      sessions: Number(values.sessions),
      seconds: Number(values.seconds),
      warmUpSeconds: Number(values["warm-up"]),
      workers: Number(values.workers),
      connections: Number(values.connections),
      watchers: Math.min(Number(values.watchers), Number(values.sessions)),
      takeoversPerSecond: Number(values.takeovers),
      statusPerSecond: Number(values.status),
      sweep: Number(values.sweep),
    },
    teardown,
  );
  if (values.json) console.log(JSON.stringify(result));
  else printScale(result);
});
