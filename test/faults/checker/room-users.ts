/** The story of each user of the waiting room: the calls, and where the user stood by the audit. */
import type { RoomCall } from "../load/room-call.ts";
import type { History, RoomMove } from "./history.ts";

export interface UserStory {
  user: string;
  calls: RoomCall[];
  moves: RoomMove[];
  periods: Period[];
}

/** The user's state: from when at the earliest until when at the latest, on the calls' clock. */
export interface Period {
  state: "nowhere" | "queued" | "seated";
  from: number;
  to: number;
}

const STATES: Record<string, Period["state"]> = {
  seated: "seated",
  promoted: "seated",
  admitted: "seated",
  queued: "queued",
  closed: "nowhere",
  left: "nowhere",
  expired: "nowhere",
  abandoned: "nowhere",
  unclaimed: "nowhere",
  removed: "nowhere",
};

export function tellUsers({ roomCalls, rows, circumstances }: History): UserStory[] {
  const { moves } = rows.room;
  const users = new Map<string, UserStory>();
  for (const call of roomCalls) {
    if (call.user !== "") storyOf(users, call.user).calls.push(call);
  }
  // Done by the time the next call has the room's lock.
  let seenAt = Number.POSITIVE_INFINITY;
  const seenBy = moves.map((): number => seenAt);
  for (let n = moves.length - 1; n >= 0; n--) {
    const after = moves[n + 1];
    if (after && after.at !== moves[n]?.at) seenAt = after.at;
    seenBy[n] = seenAt;
  }
  for (const [n, move] of moves.entries()) {
    const story = users.get(move.user_id ?? "");
    if (!story) continue; // of somebody else than the load
    story.moves.push(move);
    const state = STATES[move.move];
    if (state === undefined) continue;
    (story.periods.at(-1) as Period).to = (seenBy[n] as number) - circumstances.clock.offsetMs;
    story.periods.push({ state, from: move.at - circumstances.clock.offsetMs, to: Number.POSITIVE_INFINITY });
  }
  return [...users.values()];
}

function storyOf(users: Map<string, UserStory>, user: string): UserStory {
  const known = users.get(user);
  if (known) return known;
  const before: Period = { state: "nowhere", from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY };
  const story: UserStory = { user, calls: [], moves: [], periods: [before] };
  users.set(user, story);
  return story;
}
