/** Takeovers and status calls beside the heartbeats. */
import { randomUUID } from "node:crypto";
import { codeOf } from "./beats.ts";
import type { Fleet } from "./fleet.ts";
import { createHistogram, type Histogram, record } from "./histogram.ts";
import { createPace, inRamp, type Pace } from "./pace.ts";
import type { ScaleJob } from "./protocol.ts";
import type { Requests } from "./requests.ts";
import type { Watchers } from "./watchers.ts";

const CONNECTIONS = 32;
/** Every n-th takeover is of a key whose holder watches: at random, hardly any would be. */
const WATCHED_EVERY = 10;

export interface Beside {
  pace: Pace;
  measured: Histogram;
  counts: { total: number; measured: number; metNobody: number };
}

export function createTakeovers(
  job: ScaleJob,
  fleet: Fleet,
  requests: Requests,
  watchers: Watchers,
  failures: Record<string, number>,
): Beside {
  const measured = createHistogram();
  const counts = { total: 0, measured: 0, metNobody: 0 };
  const warmUp = inRamp(job.takeoversPerSecond, job.warmUpSeconds);
  const underWay = new Map<number, { device: number; sessionId: string }>();

  const choose = (number: number): number =>
    number % WATCHED_EVERY === 0 && watchers.count > 0 ? watchers.anyOpen() : Math.floor(Math.random() * job.beating);

  const pace = createPace({
    target: job.target,
    connectionsMax: CONNECTIONS,
    perSecond: job.takeoversPerSecond,
    rampSeconds: job.warmUpSeconds,
    total: warmUp + Math.round(job.takeoversPerSecond * job.seconds),
    make(number) {
      const device = choose(number);
      if (device < 0 || fleet.beingTaken[device] || fleet.lost[device] || watchers.isOpening(device)) return undefined;
      const sessionId = randomUUID();
      fleet.beingTaken[device] = 1;
      underWay.set(number, { device, sessionId });
      return requests.start(device, sessionId);
    },
    onAnswer(answer) {
      const { device, sessionId } = underWay.get(answer.number) as { device: number; sessionId: string };
      underWay.delete(answer.number);
      if (answer.number >= warmUp) record(measured, (answer.at - answer.dueAt) * 1000);
      if (answer.status !== 200) {
        const code = `takeover: ${answer.status === 0 ? "connection broke" : codeOf(answer)}`;
        failures[code] = (failures[code] ?? 0) + 1;
        fleet.lost[device] = 1; // nobody knows who holds the key now
        fleet.beingTaken[device] = 0;
        return;
      }
      counts.total++;
      if (answer.number >= warmUp) counts.measured++;
      if (!answer.body().includes('"previous_session_terminated":true')) counts.metNobody++;
      fleet.takeOver(device, sessionId, answer.sentAt, answer.at);
      watchers.onTakeover(device, answer.at);
    },
  });
  return { pace, measured, counts };
}

export function createStatuses(job: ScaleJob, requests: Requests, failures: Record<string, number>): Beside {
  const measured = createHistogram();
  const counts = { total: 0, measured: 0, metNobody: 0 };
  const warmUp = inRamp(job.statusPerSecond, job.warmUpSeconds);
  const pace = createPace({
    target: job.target,
    connectionsMax: CONNECTIONS,
    perSecond: job.statusPerSecond,
    rampSeconds: job.warmUpSeconds,
    total: warmUp + Math.round(job.statusPerSecond * job.seconds),
    make: () => requests.status(Math.floor(Math.random() * job.beating)),
    onAnswer(answer) {
      counts.total++;
      if (answer.number >= warmUp) record(measured, (answer.at - answer.dueAt) * 1000);
      if (answer.status !== 200) {
        const code = `status: ${answer.status === 0 ? "connection broke" : codeOf(answer)}`;
        failures[code] = (failures[code] ?? 0) + 1;
      } else {
        if (answer.number >= warmUp) counts.measured++;
        if (!answer.body().startsWith('{"active":true')) counts.metNobody++;
      }
    },
  });
  return { pace, measured, counts };
}
