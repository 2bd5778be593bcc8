/** The generator's view of its devices: the session of each, and its last answered beat. */
import { SESSION_ID_BYTES, sessionIdTable } from "../names.ts";

export interface Fleet {
  count: number;
  sessionId(device: number): string;
  /** The session from a takeover, answered at `at` to a request sent at `sentAt`. */
  takeOver(device: number, sessionId: string, sentAt: number, at: number): void;
  /** When the last answered heartbeat was sent, on performance.now(). */
  heardAt: Float64Array;
  /** When its session was last taken over; 0: never. */
  takenAt: Float64Array;
  /** 1 while it is being taken over. */
  beingTaken: Uint8Array;
  /** 1 once its session is gone for good, or its fate unknown: it beats no more. */
  lost: Uint8Array;
}

export function createFleet(count: number): Fleet {
  const ids = sessionIdTable(count);
  const fleet: Fleet = {
    count,
    sessionId: (device) => ids.toString("latin1", device * SESSION_ID_BYTES, (device + 1) * SESSION_ID_BYTES),
    takeOver(device, sessionId, sentAt, at) {
      ids.write(sessionId, device * SESSION_ID_BYTES, "latin1");
      fleet.heardAt[device] = sentAt;
      fleet.takenAt[device] = at;
      fleet.beingTaken[device] = 0;
    },
    heardAt: new Float64Array(count),
    takenAt: new Float64Array(count),
    beingTaken: new Uint8Array(count),
    lost: new Uint8Array(count),
  };
  return fleet;
}

/**
 * The order of beats: every round has each device once, reshuffled each time within about a second, as the service
 * tells every device a slightly different time to wait.
 */
export function createRound(count: number, blockSize: number): (number: number) => number {
  const order = Uint32Array.from({ length: count }, (_, device) => device);
  const size = Math.max(1, Math.min(count, Math.round(blockSize)));
  return (number) => {
    const at = number % count;
    if (at % size === 0) shuffle(order, at, Math.min(count, at + size));
    return order[at] as number;
  };
}

function shuffle(order: Uint32Array, from: number, to: number): void {
  for (let last = to - 1; last > from; last--) {
    const other = from + Math.floor(Math.random() * (last - from + 1));
    const kept = order[last] as number;
    order[last] = order[other] as number;
    order[other] = kept;
  }
}
