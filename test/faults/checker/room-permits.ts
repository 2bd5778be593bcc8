/** Permits: never more at once than there may be, and none that was given back stays. */
import { describeCall, type History, type Violation } from "./history.ts";
import type { UserStory } from "./room-users.ts";

export function checkPermits(stories: UserStory[], history: History): Violation[] {
  const { roomCalls, rows } = history;
  const { permits, permitsMax } = rows.room;
  const violations = checkAtOnce(stories, history);
  if (permits.length > permitsMax) {
    const sentence = `${permits.length} permits are granted at the end, there may be ${permitsMax}`;
    violations.push({ rule: "too-many-permits", sentence });
  }
  for (const call of roomCalls) {
    if (call.answer.is !== "given-back" || !permits.includes(call.permitId as string)) continue;
    violations.push({ rule: "kept-permit", sentence: `it is still there: ${describeCall(call)}` });
  }
  return violations;
}

/** A permit is surely held from the answer until it is sent back, or until its owner may have lost the seat. */
function checkAtOnce(stories: UserStory[], { rows, circumstances }: History): Violation[] {
  const { clock, roomTimeoutMs } = circumstances;
  const { errorMs } = clock;
  const held = stories.flatMap(({ calls, periods }) =>
    calls.flatMap((call) => {
      const { answer, sentAt, answeredAt: from } = call;
      if (answer.is !== "granted") return [];
      const back = calls
        .filter((other) => other.operation === "give-back" && other.permitId === answer.permitId)
        .map((other) => other.sentAt);
      const gone = periods.filter((period) => period.state === "nowhere" && period.from >= sentAt - errorMs);
      const ends = [sentAt + roomTimeoutMs.permit, ...back, ...gone.map((period) => period.from - errorMs)];
      return [{ call, from, to: Math.min(...ends) }];
    }),
  );
  return held.flatMap(({ call, from }) => {
    const atOnce = held.filter((other) => other.from <= from && other.to > from).length;
    if (atOnce <= rows.room.permitsMax) return [];
    const sentence = `one of ${atOnce} at once, there may be ${rows.room.permitsMax}: ${describeCall(call)}`;
    return [{ rule: "too-many-permits", sentence }];
  });
}
