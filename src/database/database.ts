/** The database as the rest of the program sees it: a few lanes, opened together and closed together. */
import type { Tracing } from "../tracing/tracing.ts";
import { type Lane, type LaneCounts, type LaneOptions, openLane } from "./lane.ts";

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

const CONNECTIONS_MAX = { requests: 10, heartbeats: 3, operators: 2, background: 2 } as const;
/** For all kinds of session (see compose.ts). */
const LISTENERS = 1;

/** How many connections a service of so many processes opens at most; with several, the primary works in the background. */
export function connectionsNeeded(processes: number): number {
  const { requests, heartbeats, operators, background } = CONNECTIONS_MAX;
  const each = requests + heartbeats + operators + background + LISTENERS;
  return processes * each + (processes > 1 ? background : 0);
}

export function openDatabase(url: string, tracing?: Tracing): Database {
  const open = (options: LaneOptions) => openLane(url, options, { tracing, onLate });
  // Where one connection went dark the others may have, too: found one by one, each would cost somebody an answer. Where
  // another of them has been heard since, the call is only slow.
  const onLate = (since: number) => {
    if (lanes.some((lane) => lane.heardSince(since))) return;
    for (const lane of lanes) lane.dropQuiet(since);
  };
  const requests = open({
    name: "requests",
    connectionsMax: CONNECTIONS_MAX.requests,
    waitingMax: 2000,
    deadlineMs: REQUEST_DEADLINE_MS,
  });
  const heartbeats = open({
    name: "heartbeats",
    connectionsMax: CONNECTIONS_MAX.heartbeats,
    waitingMax: 8,
    deadlineMs: REQUEST_DEADLINE_MS / 2,
  });
  const operators = open({
    name: "operators",
    connectionsMax: CONNECTIONS_MAX.operators,
    waitingMax: 50,
    deadlineMs: REQUEST_DEADLINE_MS,
  });
  const background = open({
    name: "background",
    connectionsMax: CONNECTIONS_MAX.background,
    waitingMax: 100,
    deadlineMs: 30_000,
  });
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
