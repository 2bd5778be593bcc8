/** What a benchmark and its generator tell each other, over the channel between two Node.js processes. */

import type { Range } from "../seed.ts";
import type { Latency, PackedHistogram } from "./histogram.ts";
import type { Target } from "./lane.ts";

/** Requests at a steady rate, whatever the answers do; each counts from when it was due. */
export interface ScaleJob {
  kind: "scale";
  target: Target;
  /** The sessions number 0 to `beating - 1` beat, each once in `heartbeatSeconds`, in the order of their numbers. */
  beating: number;
  heartbeatSeconds: number;
  timeoutSeconds: number;
  connections: number;
  /** When the first is due, by the clock of the machine, in milliseconds. */
  startAt: number;
  warmUpSeconds: number;
  seconds: number;
  takeoversPerSecond: number;
  watchers: number;
  statusPerSecond: number;
}

/** As many requests as so many connections can carry. */
export interface LoadJob {
  kind: "load";
  target: Target;
  request: "heartbeat" | "start" | "status" | "end";
  sessions: Range;
  connections: number;
  seconds: number;
}

export interface LoadReport {
  per_second: number;
  /** With 200, also those that came after the time was over. */
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

/** One second of a scale run, by when the answers came. */
export interface ScaleSecond {
  kind: "second";
  /** Counted from `startAt`; the warm-up is the first of them. */
  second: number;
  beaten: number;
  /** Due, but waiting for a free connection. */
  waiting: number;
  latency: PackedHistogram;
}

/** Over the measured time, but for the totals. */
export interface ScaleReport {
  due: number;
  beaten: number;
  latency: Latency;
  failures: Record<string, number>;
  /** Answered session_expired although less than the timeout had passed since the last answered one was sent. */
  expired_falsely: number;
  /** The generator itself was too late for these. */
  expired_rightly: number;
  /** Heartbeats that met a takeover of their own session, and were told so. */
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
  /** With the warm-up, as the database counts. */
  total_beaten: number;
  total_takeovers: number;
}

export type FromGenerator =
  | { kind: "prepared" }
  | { kind: "watching" }
  | ScaleSecond
  | { kind: "scaled"; report: ScaleReport }
  | { kind: "loaded"; report: LoadReport };
