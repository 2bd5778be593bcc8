/** The heartbeats of a scale run: each device in turn, and the outcome of each beat. */
import type { Fleet } from "./fleet.ts";
import { createRound } from "./fleet.ts";
import { createHistogram, type Histogram, record } from "./histogram.ts";
import { type Answer, createPace, inRamp, type Pace } from "./pace.ts";
import type { ScaleJob } from "./protocol.ts";
import type { Requests } from "./requests.ts";

export interface Beats {
  pace: Pace;
  /** Latencies of beats due in the measured time. */
  measured: Histogram;
  /** Latencies of beats answered since this was last read. */
  takeSecond(): Histogram;
  counts: { total: number; measured: number; metTakeover: number; expiredFalsely: number; expiredRightly: number };
  failures: Record<string, number>;
}

export function createBeats(job: ScaleJob, fleet: Fleet, requests: Requests): Beats {
  const perSecond = job.beating / job.heartbeatSeconds;
  const warmUp = inRamp(perSecond, job.warmUpSeconds);
  const deviceOf = createRound(job.beating, perSecond);
  const devices = new Uint32Array(job.beating); // by place in the round: it may be reshuffled before the answer
  const measured = createHistogram();
  const counts = { total: 0, measured: 0, metTakeover: 0, expiredFalsely: 0, expiredRightly: 0 };
  const failures: Record<string, number> = {};
  let second = createHistogram();

  const judge = (device: number, answer: Answer) => {
    const code = answer.status === 0 ? "connection broke" : codeOf(answer);
    if (
      code === "session_replaced" &&
      (fleet.beingTaken[device] || (fleet.takenAt[device] as number) > answer.sentAt)
    ) {
      counts.metTakeover++;
    } else if (code === "session_expired") {
      fleet.lost[device] = 1;
      if (answer.at - (fleet.heardAt[device] as number) < job.timeoutSeconds * 1000) counts.expiredFalsely++;
      else counts.expiredRightly++;
    } else {
      if (answer.status === 404 || answer.status === 410) fleet.lost[device] = 1;
      failures[code] = (failures[code] ?? 0) + 1;
    }
  };

  const pace = createPace({
    target: job.target,
    connectionsMax: job.connections,
    perSecond,
    rampSeconds: job.warmUpSeconds,
    total: warmUp + Math.round(perSecond * job.seconds),
    make(number) {
      const device = deviceOf(number);
      if (fleet.lost[device]) return undefined;
      devices[number % job.beating] = device;
      return requests.heartbeat(fleet.sessionId(device));
    },
    onAnswer(answer) {
      const device = devices[answer.number % job.beating] as number;
      const micros = (answer.at - answer.dueAt) * 1000;
      record(second, micros);
      if (answer.number >= warmUp) record(measured, micros);
      if (answer.status !== 200) {
        judge(device, answer);
        return;
      }
      counts.total++;
      if (answer.number >= warmUp) counts.measured++;
      if (answer.sentAt > (fleet.heardAt[device] as number)) fleet.heardAt[device] = answer.sentAt;
    },
  });
  return {
    pace,
    measured,
    counts,
    failures,
    takeSecond() {
      const taken = second;
      second = createHistogram();
      return taken;
    },
  };
}

export function codeOf(answer: Answer): string {
  return /"code":"([a-z_]+)"/.exec(answer.body())?.[1] ?? `status ${answer.status}`;
}
