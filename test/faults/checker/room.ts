/**
 * The waiting room by its audit and by what its users were answered: never more active than seats, let in by priority and
 * then by ticket, no place lost that was acknowledged unless its user fell silent or closed, never more permits than allowed.
 *
 * The audit is the truth of when: its moves stand in the order in which they were decided, under the room's one lock. A move
 * is seen at the earliest when it was decided, and at the latest when the next one has the lock; the commit is in between.
 */
import type { RoomCall } from "../load/room-call.ts";
import { describeCall, type History, type Violation } from "./history.ts";
import { checkAudit } from "./room-audit.ts";
import { checkPermits } from "./room-permits.ts";
import { checkPlaces } from "./room-places.ts";
import { tellUsers } from "./room-users.ts";

export function checkRoom(history: History): Violation[] {
  const stories = tellUsers(history);
  return [
    ...stories.flatMap(({ calls }) => calls.flatMap((call) => checkSession(call, calls))),
    ...history.roomCalls.flatMap(checkAnswer),
    ...checkAudit(history),
    ...stories.flatMap((story) => checkPlaces(story, history)),
    ...checkPermits(stories, history),
  ];
}

/** Each answer by itself. */
function checkAnswer(call: RoomCall): Violation[] {
  const { answer } = call;
  const wrong = (rule: string, what: string) => [{ rule, sentence: `${what}: ${describeCall(call)}` }];
  if (answer.is === "unexpected") return wrong("unexpected-answer", "no answer that this call may get");
  if (answer.is === "queued" || answer.is === "counts") {
    const { active, seats } = answer;
    if (active !== undefined && seats !== undefined && active > seats) {
      return wrong("too-many-seated", "more are active than there are seats");
    }
  }
  if (answer.is === "counts" && answer.permits > answer.permitsMax) {
    return wrong("too-many-permits", "more requests are under way than there may be");
  }
  return [];
}

function checkSession(call: RoomCall, calls: RoomCall[]): Violation[] {
  const { answer } = call;
  if (answer.is !== "seated" || answer.sessionId === undefined) return [];
  if (calls.some(({ sessionId }) => sessionId === answer.sessionId)) return [];
  const sentence = `the seat is said to be of a session that this user never named: ${describeCall(call)}`;
  return [{ rule: "foreign-session", sentence }];
}
