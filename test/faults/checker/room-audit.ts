/** The audit by itself: who came in when and past whom, and whether the final tables agree. */
import { type Room, replay } from "../../sessions/waiting-room/support/replay.ts";
import { type History, mayActAt, type RoomMove, type Violation } from "./history.ts";

/** A shorter call held nobody's place long enough for it to be skipped. */
const HELD_MS = 20;

export function checkAudit(history: History): Violation[] {
  const { moves, line, seated, counts } = history.rows.room;
  const violations: Violation[] = [];
  const add = (rule: string, sentence: string) => violations.push({ rule, sentence });
  const told = replay(moves, (room, move) => {
    if (isLastOfItsCall(move, moves) && leavesIdle(room, move, history)) {
      add("idle-seat", `a seat stays free while somebody waits: ${describeMove(move)}`);
    }
  });
  for (const { is, move } of told.wrong) add(is, describeMove(move));
  for (const { by, who } of told.passedOver) {
    if (mayBePassedOver(who, by.at, history)) continue;
    add(
      "out-of-turn",
      `let in past ${who.user_id} (priority ${who.priority}, ticket ${who.ticket}): ${describeMove(by)}`,
    );
  }
  const differs = (what: string, audit: string[], table: string[]) => {
    if (audit.join() !== table.join()) {
      add("audit-differs", `${what} is ${audit.join(" ")} by the audit, ${table.join(" ")} in the table`);
    }
  };
  differs("the line", told.line, line);
  differs("who has a seat", told.seated.toSorted(), seated.toSorted());
  if (counts.active !== seated.length || counts.waiting !== line.length) {
    const said = `${counts.active} active and ${counts.waiting} waiting`;
    add("wrong-counts", `the room counts ${said}, there are ${seated.length} and ${line.length}`);
  }
  return violations;
}

/** All moves of one call have the moment at which it got the lock. */
const isLastOfItsCall = (move: RoomMove, moves: RoomMove[]): boolean => moves[moves.indexOf(move) + 1]?.at !== move.at;

/** Whatever frees a seat fills it. */
function leavesIdle({ waiting, seated, capacity, paused }: Room<RoomMove>, last: RoomMove, history: History): boolean {
  if (paused || seated.size >= capacity) return false;
  const freed = history.rows.room.moves.some(
    ({ at, move }) => at === last.at && ["closed", "expired", "unclaimed"].includes(move),
  );
  return freed && [...waiting.values()].some((who) => !mayBePassedOver(who, last.at, history));
}

/** Users who have stopped asking and lose their place next, and users whose own call holds their place. */
function mayBePassedOver(who: RoomMove, at: number, { rows, roomCalls, circumstances }: History): boolean {
  const next = rows.room.moves.find(({ id, user_id }) => id > who.id && user_id === who.user_id);
  if (next?.move === "abandoned") return true;
  return roomCalls.some(
    (call) =>
      call.user === who.user_id &&
      (call.answer.is === "unknown" || call.answeredAt - call.sentAt >= HELD_MS) &&
      mayActAt(call, at - circumstances.clock.offsetMs, circumstances),
  );
}

export const describeMove = ({ id, move, user_id, priority, ticket }: RoomMove): string =>
  `move ${id}, ${user_id} (priority ${priority}, ticket ${ticket}) ${move}`;
