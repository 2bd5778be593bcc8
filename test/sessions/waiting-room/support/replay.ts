/** Plays the audit of the waiting room from its beginning, and says what in it cannot be. The checker of the faults uses it, too. */

export interface Move {
  id: number;
  move: string;
  /** Null in a move that is about nobody, such as another number of seats. */
  user_id: string | null;
  priority: number;
  ticket: number;
  amount: number | null;
}

/** The room between two moves. */
export interface Room<M extends Move> {
  waiting: Map<string, M>;
  seated: Set<string>;
  capacity: number;
  paused: boolean;
}

export interface Replay<M extends Move> {
  promotions: number;
  mostSeated: number;
  /** Whoever was ahead of one that was let in: with a higher priority, or with a lower ticket in the same one. */
  passedOver: Array<{ by: M; who: M }>;
  wrong: Array<{ is: "too-many-seated" | "seated-past-line" | "impossible-move"; move: M }>;
  /** At the end: who waits, the next one first, and who has a seat. */
  line: string[];
  seated: string[];
}

const ENTRANCES = ["seated", "promoted", "admitted"];
const LEAVE_SEAT = ["closed", "expired", "unclaimed"];
const LEAVE_LINE = ["left", "abandoned"];

/** `look` sees the room after each move. */
export function replay<M extends Move>(moves: readonly M[], look?: (room: Room<M>, move: M) => void): Replay<M> {
  const waiting = new Map<string, M>();
  const seated = new Set<string>();
  const room: Room<M> = { waiting, seated, capacity: 0, paused: false };
  const told: Replay<M> = { promotions: 0, mostSeated: 0, passedOver: [], wrong: [], line: [], seated: [] };
  for (const move of moves) {
    const user = move.user_id as string;
    const wrong = (is: Replay<M>["wrong"][number]["is"]) => told.wrong.push({ is, move });
    const must = (possible: boolean) => possible || wrong("impossible-move");
    const own = waiting.get(user);
    if (move.move === "capacity") room.capacity = move.amount as number;
    else if (move.move === "paused" || move.move === "resumed") room.paused = move.move === "paused";
    else if (move.move === "queued") {
      must(!own && !seated.has(user));
      waiting.set(user, move);
    } else if (move.move === "prioritised") {
      must(own !== undefined);
      waiting.set(user, { ...move, ticket: own?.ticket as number });
    } else if (move.move === "seated") {
      if (waiting.size > 0) wrong("seated-past-line");
      must(!own && !seated.has(user));
      seated.add(user);
    } else if (move.move === "promoted" || move.move === "admitted") {
      must(own !== undefined && !seated.has(user));
      if (own && move.move === "promoted") {
        told.promotions++;
        for (const who of waiting.values()) if (isAhead(who, own)) told.passedOver.push({ by: move, who });
      }
      waiting.delete(user);
      seated.add(user);
    } else if (LEAVE_SEAT.includes(move.move)) must(seated.delete(user));
    else if (LEAVE_LINE.includes(move.move)) must(waiting.delete(user));
    else if (move.move === "removed") must(seated.delete(user) || waiting.delete(user));
    told.mostSeated = Math.max(told.mostSeated, seated.size);
    if (ENTRANCES.includes(move.move) && seated.size > room.capacity) wrong("too-many-seated");
    look?.(room, move);
  }
  told.line = [...waiting].sort(([, a], [, b]) => (isAhead(a, b) ? -1 : 1)).map(([user]) => user);
  told.seated = [...seated];
  return told;
}

const isAhead = (one: Move, other: Move): boolean =>
  one.priority > other.priority || (one.priority === other.priority && one.ticket < other.ticket);
