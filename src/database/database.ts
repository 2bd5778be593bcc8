/** The database as the rest of the program sees it: a few lanes, opened and closed together. */
import type { Tracing } from "../tracing/tracing.ts";
import { type Lane, type LaneCounts, openLane } from "./lane.ts";
import { LISTENER_CONNECTIONS } from "./listener.ts";

export interface Database {
  /** Starts, ends and the like: one statement per caller, answered within the promised 3 seconds. */
  readonly requests: Lane;
  /** Batches of heartbeats: few at a time, with half the deadline, as one may wait behind another. */
  readonly heartbeats: Lane;
  /** Operators: bounded like clients, and never ahead of them. */
  readonly operators: Lane;
  /** Cleanup, bulk work and the command line: may take longer, and never delays a client. */
  readonly background: Lane;
  /** Outcomes of the calls, per lane. */
  readonly counts: readonly LaneCounts[];
  close(): Promise<void>;
}

export const REQUEST_DEADLINE_MS = 2500;

const LANES = {
  requests: { connectionsMax: 10, waitingMax: 2000, deadlineMs: REQUEST_DEADLINE_MS },
  heartbeats: { connectionsMax: 3, waitingMax: 8, deadlineMs: REQUEST_DEADLINE_MS / 2 },
  operators: { connectionsMax: 2, waitingMax: 50, deadlineMs: REQUEST_DEADLINE_MS },
  background: { connectionsMax: 2, waitingMax: 100, deadlineMs: 30_000 },
};

/** The most connections that so many processes open; with several, the primary works in the background. */
export function connectionsNeeded(processes: number): number {
  const ofLanes = Object.values(LANES).reduce((sum, { connectionsMax }) => sum + connectionsMax, 0);
  const primary = processes > 1 ? LANES.background.connectionsMax : 0;
  return processes * (ofLanes + LISTENER_CONNECTIONS) + primary;
}

export function openDatabase(url: string, tracing?: Tracing): Database {
  const open = (name: keyof typeof LANES) => openLane(url, { name, ...LANES[name] }, { tracing, onLate });
  // If one connection went dark, others may have too, and finding them one by one would cost a caller each. If another
  // has received data since, the call is merely slow.
  const onLate = (since: number) => {
    if (lanes.some((lane) => lane.heardSince(since))) return;
    for (const lane of lanes) lane.dropQuiet(since);
  };
  const requests = open("requests");
  const heartbeats = open("heartbeats");
  const operators = open("operators");
  const background = open("background");
  const lanes = [requests, heartbeats, operators, background];
  return {
    requests,
    heartbeats,
    operators,
    background,
    counts: lanes.map((lane) => lane.counts),
    async close() {
      await Promise.all(lanes.map((lane) => lane.close()));
    },
  };
}
