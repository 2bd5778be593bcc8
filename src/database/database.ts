/** The database as the rest of the program sees it: a few lanes, opened together and closed together. */
import type { Tracing } from "../tracing/tracing.ts";
import { type Lane, type LaneCounts, openLane } from "./lane.ts";
import { LISTENER_CONNECTIONS } from "./listener.ts";

export interface Database {
  /** Starts, ends and the like: one statement for one caller, answered within the 3 seconds we promise. */
  readonly requests: Lane;
  /** Batches of heartbeats: few at a time, half the deadline, as one may wait behind another. */
  readonly heartbeats: Lane;
  /** Operators: bounded like clients, and never before them. */
  readonly operators: Lane;
  /** Cleanup, bulk work and the command line: may take longer, and never stands in a client's way. */
  readonly background: Lane;
  /** What became of the calls, a lane each. */
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

/** How many connections a service of so many processes opens at most; with several, the primary works in the background. */
export function connectionsNeeded(processes: number): number {
  const ofLanes = Object.values(LANES).reduce((sum, { connectionsMax }) => sum + connectionsMax, 0);
  const primary = processes > 1 ? LANES.background.connectionsMax : 0;
  return processes * (ofLanes + LISTENER_CONNECTIONS) + primary;
}

export function openDatabase(url: string, tracing?: Tracing): Database {
  const open = (name: keyof typeof LANES) => openLane(url, { name, ...LANES[name] }, { tracing, onLate });
  // Where one connection went dark the others may have, too: found one by one, each would cost somebody an answer. Where
  // another of them has been heard since, the call is only slow.
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
