/** The messages between a benchmark and its generator, over the channel between two Node.js processes. */

import type { Range } from "../seed.ts";
import type { Latency, PackedHistogram } from "./histogram.ts";
import type { Target } from "./lane.ts";

/** Requests at a steady rate, independent of the answers; latency counts from when each was due. */
export interface ScaleJob {
  kind: "scale";
  target: Target;
  /** Sessions number 0 to `beating - 1` beat in the order of their numbers, each once in `heartbeatSeconds`. */
  beating: number;
  heartbeatSeconds: number;
  timeoutSeconds: number;
  connections: number;
  /** When the first is due, by the machine's clock, in milliseconds. */
  startAt: number;
  warmUpSeconds: number;
  seconds: number;
  takeoversPerSecond: number;
  watchers: number;
  statusPerSecond: number;
}

/** As many requests as the connections can carry. */
export interface LoadJob {
  kind: "load";
  target: Target;
  request: "heartbeat" | "start" | "status" | "end";
  /** Whether the answers are to be signed. */
  signed?: boolean | undefined;
  sessions: Range;
  connections: number;
  seconds: number;
}

export interface LoadReport {
  per_second: number;
  /** Answers with 200, late ones included. */
  answered: number;
  latency: Latency;
  failures: Record<string, number>;
  cpu_micros: number;
}

export type ToGenerator = { kind: "prepare"; sessions: number } | LoadJob | ScaleJob | ScaleStart;

/** The watchers are open: go. */
export interface ScaleStart {
  kind: "start";
  startAt: number;
}

/** One second of a scale run, by the time of the answers. */
export interface ScaleSecond {
  kind: "second";
  /** Counted from `startAt`; the warm-up comes first. */
  second: number;
  beaten: number;
  /** Due, but waiting for a free connection. */
  waiting: number;
  latency: PackedHistogram;
}

/** Over the measured time, except the totals. */
export interface ScaleReport {
  due: number;
  beaten: number;
  latency: Latency;
  failures: Record<string, number>;
  /** Answered session_expired although the last answered beat was sent less than the timeout before. */
  expired_falsely: number;
  /** Beats for which the generator itself was too late. */
  expired_rightly: number;
  /** Heartbeats answered that their session was taken over. */
  met_takeover: number;
  takeovers: number;
  takeovers_that_met_nobody: number;
  takeover_latency: Latency;
  watchers: number;
  watchers_told: number;
  watchers_missed: number;
  watchers_lost: number;
  /** After the newcomer's own answer. */
  told_latency: Latency;
  statuses: number;
  status_latency: Latency;
  cpu_micros: number;
  /** Warm-up included, as the database counts. */
  total_beaten: number;
  total_takeovers: number;
}

export type FromGenerator =
  | { kind: "prepared" }
  | { kind: "watching" }
  | ScaleSecond
  | { kind: "scaled"; report: ScaleReport }
  | { kind: "loaded"; report: LoadReport };
