/** One scale run: heartbeats, takeovers, status calls and watchers at once, a report each second and one at the end. */
import { setTimeout as sleep } from "node:timers/promises";
import { createBeats } from "./beats.ts";
import type { Fleet } from "./fleet.ts";
import { latencyOf, packHistogram } from "./histogram.ts";
import type { FromGenerator, ScaleJob } from "./protocol.ts";
import { createRequests } from "./requests.ts";
import { createStatuses, createTakeovers } from "./takeovers.ts";
import { createWatchers } from "./watchers.ts";

/** How long to wait for answers after the last request was due. */
const DRAIN_MS = 5_000;

export interface ScaleRun {
  /** `startAt`: when the first is due, by the machine's clock, in milliseconds. */
  run(startAt: number): Promise<void>;
}

/** Opens all watch streams. */
export async function openScale(job: ScaleJob, fleet: Fleet, say: (message: FromGenerator) => void): Promise<ScaleRun> {
  const requests = createRequests(job.target);
  const watchers = createWatchers(job, fleet, requests);
  const beats = createBeats(job, fleet, requests);
  const takeovers = createTakeovers(job, fleet, requests, watchers, beats.failures);
  const statuses = createStatuses(job, requests, beats.failures);
  const paces = [beats.pace, takeovers.pace, statuses.pace];
  await watchers.open();

  const reportSeconds = async (startAt: number) => {
    const seconds = job.warmUpSeconds + job.seconds;
    let cpuAtWarm = process.cpuUsage();
    for (let second = 0; second < seconds; second++) {
      await sleep(startAt + (second + 1) * 1000 - performance.now());
      const latency = packHistogram(beats.takeSecond());
      say({ kind: "second", second, beaten: latency.count, waiting: beats.pace.waiting(), latency });
      if (second + 1 === job.warmUpSeconds) cpuAtWarm = process.cpuUsage();
    }
    const cpu = process.cpuUsage(cpuAtWarm);
    return cpu.user + cpu.system;
  };

  return {
    async run(startAtWall) {
      const startAt = startAtWall - Date.now() + performance.now();
      const spacingMs = (job.heartbeatSeconds * 1000) / job.beating;
      for (let device = 0; device < job.beating; device++) {
        fleet.heardAt[device] = startAt - job.heartbeatSeconds * 1000 + device * spacingMs;
      }
      for (const pace of paces) pace.start(startAt);
      const cpuMicros = await reportSeconds(startAt);
      const giveUpAt = performance.now() + DRAIN_MS;
      while (performance.now() < giveUpAt && (watchers.untold() > 0 || paces.some((pace) => !pace.isDone()))) {
        await sleep(20);
      }
      const unanswered = paces.filter((pace) => !pace.isDone()).length;
      if (unanswered > 0) beats.failures["not answered in the end"] = beats.pace.waiting() + unanswered;
      for (const end of [...paces, watchers]) end.close();
      say({
        kind: "scaled",
        report: {
          due: Math.round((job.beating / job.heartbeatSeconds) * job.seconds),
          beaten: beats.counts.measured,
          latency: latencyOf(beats.measured),
          failures: beats.failures,
          expired_falsely: beats.counts.expiredFalsely,
          expired_rightly: beats.counts.expiredRightly,
          met_takeover: beats.counts.metTakeover,
          takeovers: takeovers.counts.measured,
          takeovers_that_met_nobody: takeovers.counts.metNobody,
          takeover_latency: latencyOf(takeovers.measured),
          watchers: watchers.count,
          watchers_told: watchers.counts.told,
          watchers_missed: watchers.untold(),
          watchers_lost: watchers.counts.lost,
          told_latency: latencyOf(watchers.told),
          statuses: statuses.counts.measured,
          status_latency: latencyOf(statuses.measured),
          cpu_micros: cpuMicros,
          total_beaten: beats.counts.total,
          total_takeovers: takeovers.counts.total,
        },
      });
    },
  };
}
