/** Finds in a recorded history of the waiting room what a plant may spoil. */
import type { History, RoomMove } from "../checker/history.ts";
import type { RoomAnswer, RoomCall } from "../load/room-call.ts";
import { must } from "./plant.ts";

type Answered<Is extends RoomAnswer["is"]> = RoomCall & { answer: Extract<RoomAnswer, { is: Is }> };

export const answeredInRoom = <Is extends RoomAnswer["is"]>(history: History, is: Is): Answered<Is>[] =>
  history.roomCalls.filter((call): call is Answered<Is> => call.answer.is === is);

export function firstInRoom<Is extends RoomAnswer["is"]>(
  history: History,
  is: Is,
  fits: (call: Answered<Is>) => boolean = () => true,
): Answered<Is> {
  return must(answeredInRoom(history, is).find(fits), `call of the room that is answered ${is}, and fits`);
}

export function moveOf(history: History, kind: string, fits: (move: RoomMove) => boolean = () => true): RoomMove {
  const found = history.rows.room.moves.find((move) => move.move === kind && fits(move));
  return must(found, `move ${kind} that fits`);
}

/** Whose place it is from this move on, until the next move of the same user. */
export const nextOf = (history: History, move: RoomMove, kinds: string[]): RoomMove | undefined =>
  history.rows.room.moves.find(
    ({ id, user_id, move: kind }) => id > move.id && user_id === move.user_id && kinds.includes(kind),
  );

/** Removes them from the audit, as if they had never been. */
export function forget(history: History, ...moves: RoomMove[]): void {
  history.rows.room.moves = history.rows.room.moves.filter((move) => !moves.includes(move));
}

/** On the clock of the calls. */
export const momentOf = (history: History, move: RoomMove): number => move.at - history.circumstances.clock.offsetMs;

/** Long after everything else, by a user without a call in flight. */
export function late(
  history: History,
  changes: Pick<RoomCall, "operation" | "user" | "answer"> & Partial<RoomCall>,
): RoomCall {
  const sentAt = Math.max(...history.roomCalls.map((call) => call.answeredAt)) + 60_000;
  return { server: 0, status: 200, sentAt, answeredAt: sentAt + 10, ...changes };
}

export const seatedUser = (history: History): string =>
  must(history.rows.room.seated[0], "user with a seat at the end");

export const lastBefore = (history: History, move: RoomMove, kind: string): RoomMove | undefined =>
  history.rows.room.moves.findLast(
    (before) => before.id < move.id && before.user_id === move.user_id && before.move === kind,
  );

/** Whether another user kept asking and waited on when this one was let in. */
export function waitedBeside(history: History, promoted: RoomMove, { samePriority = false } = {}): boolean {
  return history.rows.room.moves.some(
    (other) =>
      other.move === "queued" &&
      other.id < promoted.id &&
      other.user_id !== promoted.user_id &&
      (!samePriority || other.priority === promoted.priority) &&
      isNext(history, other, promoted),
  );
}

/** Its next move is to be let in, by a later call than this one. */
export function isNext(history: History, queued: RoomMove, promoted: RoomMove): boolean {
  const next = history.rows.room.moves.find(({ id, user_id }) => id > queued.id && user_id === queued.user_id);
  return next?.move === "promoted" && next.at > promoted.at && !isCalling(history, queued.user_id, promoted);
}

/** Whether none of the waiting users has a call in flight. */
export const isQuiet = (history: History, move: RoomMove): boolean => !isCalling(history, move.user_id, move);

function isCalling({ roomCalls, circumstances }: History, user: string | null, move: RoomMove): boolean {
  const at = move.at - circumstances.clock.offsetMs;
  return roomCalls.some(
    (call) =>
      call.user === user &&
      call.sentAt - circumstances.clock.errorMs <= at &&
      at <= call.answeredAt + circumstances.clock.errorMs + (call.answer.is === "unknown" ? 10_000 : 0),
  );
}
