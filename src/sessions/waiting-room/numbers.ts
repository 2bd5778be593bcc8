/**
 * The room's metrics. Current values come from the room's row. Events are counted from the moves, each once, from the
 * first reading on: their ids are in the order of commits, as all are written under the room's lock. So counting costs
 * the users nothing.
 */
import type { Database } from "../../database/database.ts";
import { createHistogram, type Histogram, observe } from "../../metrics/histogram.ts";
import { countMoves, type RoomNow, selectRoomNow } from "./sql.ts";

const WAIT_SECONDS_BOUNDS = [1, 5, 15, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200];

/** Counters of users' moves; each exists from the beginning, or its first count would be no increase. */
const MOVES = [
  ...(["seated", "queued", "promoted", "admitted", "claimed"] as const),
  ...(["closed", "left", "expired", "abandoned", "unclaimed", "removed"] as const),
];

/** The room, and what has become of its users since this process was first asked. */
export interface RoomNumbers extends RoomNow {
  moves: Record<string, number>;
  /** In line, of those who were let in. */
  waitSeconds: Histogram;
}

export function createRoomNumbers(database: Database): () => Promise<RoomNumbers> {
  const moves: Record<string, number> = Object.fromEntries(MOVES.map((move) => [move, 0]));
  const waitSeconds = createHistogram(WAIT_SECONDS_BOUNDS);
  let countedTo: number | undefined;
  return async () => {
    const now = await selectRoomNow(database);
    countedTo ??= now.lastMove;
    for (const { move, amount, count, last } of await countMoves(database, countedTo)) {
      countedTo = Math.max(countedTo, last);
      if (!(move in moves)) continue;
      moves[move] = (moves[move] ?? 0) + count;
      if (move === "promoted" || move === "admitted") observe(waitSeconds, amount ?? 0, count);
    }
    return { ...now, moves, waitSeconds };
  };
}
