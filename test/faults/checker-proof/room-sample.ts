/** The waiting room's part of a correct history: the reference of its model, called by users who overlap, get lost and fall silent. */
import { createReference, type Reference, SMALL_ROOM } from "../../sessions/waiting-room/support/model-reference.ts";
import type { Circumstances, RoomMove, RoomRows } from "../checker/history.ts";
import type { RoomAnswer, RoomCall, RoomOperation } from "../load/room-call.ts";

/** As many as have a seat or a place in line, so that it is never full. */
const USERS = 5;
const STEPS = 500;
const SHARES: Array<[RoomOperation, number]> = [
  ["create", 0.25],
  ["position", 0.6],
  ["request", 0.8],
  ["give-back", 0.9],
  ["close", 1],
];

export const SAMPLE_TIMEOUTS: Circumstances["roomTimeoutMs"] = {
  abandoned: SMALL_ROOM.waiterSeconds * 1000,
  expired: SMALL_ROOM.seatSeconds * 1000,
  unclaimed: SMALL_ROOM.claimSeconds * 1000,
  permit: SMALL_ROOM.requestSeconds * 1000,
};

export const emptyRoom = (): RoomRows => ({
  moves: [{ id: 1, at: 0, move: "capacity", user_id: null, priority: 0, ticket: 0, amount: SMALL_ROOM.maxActive }],
  line: [],
  seated: [],
  counts: { active: 0, waiting: 0 },
  permits: [],
  permitsMax: SMALL_ROOM.maxRequests,
});

export function playRoom(random: () => number, offsetMs: number): { roomCalls: RoomCall[]; room: RoomRows } {
  const reference = createReference();
  const room = emptyRoom();
  const roomCalls: RoomCall[] = [];
  const sessions = new Map<string, string>();
  let at = 1_000;
  for (let step = 0; step < STEPS; step++) {
    at += random() < 0.03 ? 40_000 + random() * 90_000 : 100 + random() * 2_000;
    reference.nowSeconds = at / 1000;
    const call = makeCall(step, at, random, roomCalls);
    const lost = random();
    call.answer = { is: "unknown", why: "503" };
    if (lost >= 0.04) {
      const before = new Map(reference.places.map((place) => [place.user, place]));
      call.answer = ask(reference, call, sessions);
      recordMoves(reference, before, room.moves, at + offsetMs);
    }
    if (lost > 0.96) call.answer = { is: "unknown", why: "cut" };
    roomCalls.push(call);
  }
  const seated = reference.places.filter((place) => place.seatedAtSeconds !== undefined).map(({ user }) => user);
  const line = reference.line().map(({ user }) => user);
  const permits = reference.permits.map(({ id }) => id);
  const counts = { active: seated.length, waiting: line.length };
  roomCalls.sort((a, b) => a.answeredAt - b.answeredAt);
  return { roomCalls, room: { ...room, seated, line, permits, counts } };
}

function makeCall(step: number, at: number, random: () => number, before: RoomCall[]): RoomCall {
  const draw = random();
  const granted = before.findLast(({ answer }) => answer.is === "granted");
  const chosen = SHARES.find(([, share]) => draw < share)?.[0] as RoomOperation;
  const operation = chosen === "give-back" && !granted ? "position" : chosen;
  const call: RoomCall = {
    operation,
    user: operation === "give-back" ? (granted?.user as string) : `user-${Math.floor(random() * USERS)}`,
    server: random() < 0.5 ? 0 : 1,
    status: 200,
    sentAt: at - random() * 80,
    answeredAt: at + random() * 80,
    answer: { is: "nowhere" },
  };
  if (operation === "create") Object.assign(call, { sessionId: `session-${step}`, priority: step % 3 });
  if (operation === "request") call.permitId = `permit-${step}`; // the reference does not make them itself
  if (operation === "give-back" && granted?.answer.is === "granted") call.permitId = granted.answer.permitId;
  return call;
}

function ask(reference: Reference, call: RoomCall, sessions: Map<string, string>): RoomAnswer {
  const { operation, user: userId, priority = 0, permitId = "" } = call;
  const verb = operation === "give-back" ? "give back" : operation;
  // biome-ignore lint/suspicious/noExplicitAny: the reference takes every verb with all that any of them needs
  const { is, position, active, seats } = reference.answer({ do: verb, userId, priority, permitId } as any) as any;
  const entered = reference.moves.some((move) => move === `seated ${userId}` || move === `queued ${userId}`);
  if (entered) sessions.set(userId, call.sessionId as string);
  switch (is) {
    case "active":
      return { is: "seated", sessionId: operation === "create" ? sessions.get(userId) : undefined };
    case "queued":
      return { is: "queued", position, active, seats };
    case "granted":
      return { is: "granted", permitId };
    case "too_many_requests":
      return { is: "full" };
    case "not_active":
      return { is: "not-active" };
    default:
      return operation === "give-back" ? { is: "given-back" } : { is: "nowhere" };
  }
}

/** What the reference writes down as "move user". */
function recordMoves(
  reference: Reference,
  before: Map<string, Reference["places"][number]>,
  moves: RoomMove[],
  at: number,
): void {
  for (const text of reference.moves.splice(0)) {
    const [move, user_id] = text.split(" ") as [string, string];
    const present = reference.places.find(({ user }) => user === user_id);
    const isOver = ["closed", "left", "expired", "abandoned", "unclaimed"].includes(move);
    const place = (isOver ? before.get(user_id) : (present ?? before.get(user_id))) as Reference["places"][number];
    const { priority, ticket } = place;
    moves.push({ id: moves.length + 1, at, move, user_id, priority, ticket, amount: null });
  }
}
