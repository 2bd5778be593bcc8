/**
 * A fixed number of connections, each sending again as soon as it is answered: the server's maximum. Latency counts
 * from when the request was sent; nothing is due here.
 */
import { sessionId } from "../names.ts";
import { createHistogram, latencyOf, record } from "./histogram.ts";
import { openLane } from "./lane.ts";
import type { LoadJob, LoadReport } from "./protocol.ts";
import { createRequests } from "./requests.ts";

export async function runLoad(job: LoadJob): Promise<LoadReport> {
  const connections = Math.min(job.connections, job.sessions.count);
  const nextRequest = createSource(job, connections);
  const latency = createHistogram();
  const failures: Record<string, number> = {};
  const sentAt = new Float64Array(connections);
  let answered = 0;
  let answeredInTime = 0;
  let asking = connections;
  let stopAt = 0;
  let allAnswered = () => {};
  const done = new Promise<void>((resolve) => {
    allAnswered = resolve;
  });

  const askAgain = (slot: number, now: number) => {
    const request = now < stopAt ? nextRequest(slot) : undefined;
    if (request === undefined) {
      if (--asking === 0) allAnswered();
      return;
    }
    sentAt[slot] = now;
    lane.send(slot, request);
  };
  const lane = openLane(job.target, connections, {
    onAnswer(slot, status, bytes, from, to) {
      const now = performance.now();
      record(latency, (now - (sentAt[slot] as number)) * 1000);
      if (status === 200) {
        answered++;
        if (now < stopAt) answeredInTime++;
      } else {
        const code = /"code":"([a-z_]+)"/.exec(bytes.toString("latin1", from, to))?.[1] ?? `status ${status}`;
        failures[code] = (failures[code] ?? 0) + 1;
      }
      askAgain(slot, now);
    },
    onBroken(slot) {
      failures["connection broke"] = (failures["connection broke"] ?? 0) + 1;
      askAgain(slot, performance.now());
    },
  });

  await lane.opened;
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  stopAt = startedAt + job.seconds * 1000;
  for (let slot = 0; slot < connections; slot++) askAgain(slot, performance.now());
  await done;
  const cpu = process.cpuUsage(cpuBefore);
  lane.close();
  return {
    per_second: answeredInTime / Math.min(job.seconds, (performance.now() - startedAt) / 1000),
    answered,
    latency: latencyOf(latency),
    failures,
    cpu_micros: cpu.user + cpu.system,
  };
}

/**
 * Each connection draws at random from its own share of the sessions, so that no session has two requests at a time;
 * endings take each session once.
 */
function createSource(job: LoadJob, connections: number): (slot: number) => string | undefined {
  const { from, count } = job.sessions;
  const requests = createRequests(job.target, job.signed);
  const share = Math.floor(count / connections);
  const draw = (slot: number) => slot * share + Math.floor(Math.random() * share);
  if (job.request === "start") return (slot) => requests.start(from + draw(slot));
  if (job.request === "status") return (slot) => requests.status(from + draw(slot));

  const ids = Array.from({ length: count }, (_, n) => sessionId(from + n));
  if (job.request === "heartbeat") return (slot) => requests.heartbeat(ids[draw(slot)] as string);
  let next = 0;
  return () => (next < count ? requests.end(ids[next++] as string) : undefined);
}
