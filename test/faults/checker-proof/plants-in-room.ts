/** Planted: what the waiting room must not do, in its audit, its tables or its users' answers. */
import type { History, RoomMove } from "../checker/history.ts";
import type { RoomAnswer, RoomCall } from "../load/room-call.ts";
import { must, type Plant } from "./plant.ts";
import {
  firstInRoom,
  forget,
  isQuiet,
  lastBefore,
  late,
  momentOf,
  moveOf,
  nextOf,
  seatedUser,
  waitedBeside,
} from "./room-history.ts";

export const plantsInRoom: Plant[] = [
  {
    name: "one more is let in than there are seats",
    rule: "too-many-seated",
    plant(history) {
      const { moves } = history.rows.room;
      const freed = moveOf(history, "closed", ({ at }) =>
        moves.some((move) => move.move === "promoted" && move.at === at),
      );
      forget(history, freed);
    },
  },
  {
    name: "an answer counts more active than there are seats",
    rule: "too-many-seated",
    plant(history) {
      const { answer } = firstInRoom(history, "queued", (call) => call.answer.seats !== undefined);
      answer.active = (answer.seats as number) + 1;
    },
  },
  {
    name: "somebody is let in before one with a higher priority",
    rule: "out-of-turn",
    plant(history) {
      // Of whoever was let in while others waited: a lower priority than all of them.
      const promoted = moveOf(history, "promoted", (move) => waitedBeside(history, move));
      const queued = must(lastBefore(history, promoted, "queued"), "place in line of one that was let in");
      queued.priority = promoted.priority = -1;
    },
  },
  {
    name: "somebody is let in before one with the same priority who came earlier",
    rule: "out-of-turn",
    plant(history) {
      const promoted = moveOf(history, "promoted", (move) => waitedBeside(history, move, { samePriority: true }));
      const queued = must(lastBefore(history, promoted, "queued"), "place in line of one that was let in");
      queued.ticket = promoted.ticket = 1_000_000;
    },
  },
  {
    name: "somebody is seated at once though others wait",
    rule: "seated-past-line",
    plant(history) {
      const promoted = moveOf(history, "promoted", (move) => waitedBeside(history, move));
      const queued = must(lastBefore(history, promoted, "queued"), "place in line of one that was let in");
      forget(history, queued);
      promoted.move = "seated";
    },
  },
  {
    name: "a seat is freed, and whoever waits is not let in",
    rule: "idle-seat",
    plant(history) {
      const { moves } = history.rows.room;
      const promoted = moveOf(
        history,
        "promoted",
        (move) => moves.some((freed) => freed.move === "closed" && freed.at === move.at) && isQuiet(history, move),
      );
      forget(history, promoted);
    },
  },
  {
    name: "somebody leaves a seat that they do not have",
    rule: "impossible-move",
    plant(history) {
      const closed = moveOf(history, "closed");
      history.rows.room.moves.push({ ...closed, user_id: "somebody-else" });
    },
  },
  {
    name: "somebody has a seat of which the audit knows nothing",
    rule: "audit-differs",
    plant(history) {
      history.rows.room.seated.push("somebody-else");
    },
  },
  {
    name: "the line is in another order than the audit says",
    rule: "audit-differs",
    plant(history) {
      history.rows.room.line.reverse().push("somebody-else");
    },
  },
  {
    name: "the room counts one more active than there are",
    rule: "wrong-counts",
    plant(history) {
      history.rows.room.counts.active++;
    },
  },
  {
    name: "an acknowledged place is not in the audit",
    rule: "lost-place",
    plant(history) {
      const seated = moveOf(history, "seated", (move) => nextOf(history, move, ["closed", "expired"]) !== undefined);
      forget(history, seated, nextOf(history, seated, ["closed", "expired"]) as RoomMove);
    },
  },
  {
    name: "a user with a seat is told that there is no place",
    rule: "untrue-place",
    plant(history) {
      history.roomCalls.push(
        late(history, { operation: "position", user: seatedUser(history), answer: { is: "nowhere" } }),
      );
    },
  },
  {
    name: "a user with a seat is told to be in line",
    rule: "untrue-place",
    plant(history) {
      const answer = { is: "queued" as const, position: 1 };
      history.roomCalls.push(late(history, { operation: "position", user: seatedUser(history), answer }));
    },
  },
  {
    name: "a permit is granted to somebody without a place",
    rule: "lost-place",
    plant(history) {
      const answer = { is: "granted" as const, permitId: "of-nobody" };
      history.roomCalls.push(late(history, { operation: "request", user: "somebody-else", answer }));
    },
  },
  {
    name: "an acknowledged close has left the place there",
    rule: "untrue-place",
    plant(history) {
      history.roomCalls.push(
        late(history, { operation: "close", user: seatedUser(history), answer: { is: "nowhere" } }),
      );
    },
  },
  ...(["expired", "abandoned", "unclaimed"] as const).map((kind) => ({
    name: `a place is lost (${kind}) right after its user was heard of`,
    rule: "early-loss",
    plant(history: History) {
      const lost = moveOf(history, kind);
      const sentAt = momentOf(history, lost) - history.circumstances.clock.errorMs - 100;
      const answer: RoomAnswer = kind === "abandoned" ? { is: "queued", position: 1 } : { is: "seated" };
      history.roomCalls.push({
        operation: "position",
        user: lost.user_id as string,
        server: 0,
        status: 200,
        sentAt,
        answeredAt: sentAt + 1,
        answer,
      });
    },
  })),
  {
    name: "a place is lost right after an outage of the service",
    rule: "early-loss",
    plant(history) {
      const lost = moveOf(history, "abandoned");
      const heard = history.roomCalls.filter(
        ({ user, answer, answeredAt }) =>
          user === lost.user_id && answer.is === "queued" && answeredAt < momentOf(history, lost),
      );
      const from = Math.max(...heard.map((call) => call.sentAt)) + 1;
      history.circumstances.outages.push({ from, to: momentOf(history, lost) - 1 });
    },
  },
  {
    name: "a place is closed that nobody closed",
    rule: "misplaced-close",
    plant(history) {
      const closed = moveOf(history, "closed");
      history.roomCalls = history.roomCalls.filter(
        ({ user, operation }) => user !== closed.user_id || operation !== "close",
      );
    },
  },
  {
    name: "a place is removed by an operator who is not there",
    rule: "misplaced-removal",
    plant(history) {
      moveOf(history, "closed").move = "removed";
    },
  },
  {
    name: "a create is carried out long after its caller was told 503",
    rule: "misplaced-create",
    plant(history) {
      const seated = moveOf(history, "seated");
      for (const call of history.roomCalls) {
        if (call.user !== seated.user_id || call.operation !== "create") continue;
        if (Math.abs(call.answeredAt - momentOf(history, seated)) > 1_000) continue;
        call.answer = { is: "unknown", why: "503" };
        call.sentAt -= 600_000;
        call.answeredAt -= 600_000;
      }
    },
  },
  {
    name: "a seat is said to be of somebody else's session",
    rule: "foreign-session",
    plant(history) {
      firstInRoom(history, "seated", (call) => call.answer.sessionId !== undefined).answer.sessionId =
        "of-somebody-else";
    },
  },
  {
    name: "more permits are held at once than there may be",
    rule: "too-many-permits",
    plant(history) {
      const call = firstInRoom(history, "granted");
      for (let n = 0; n < history.rows.room.permitsMax; n++) {
        history.roomCalls.push({ ...call, answer: { is: "granted", permitId: `one-more-${n}` } });
      }
    },
  },
  {
    name: "an answer counts more requests than there may be",
    rule: "too-many-permits",
    plant(history) {
      const answer = { is: "counts" as const, active: 1, seats: 2, permits: 3, permitsMax: 2 };
      history.roomCalls.push(late(history, { operation: "status", user: "", answer }));
    },
  },
  {
    name: "a permit that was given back is still there",
    rule: "kept-permit",
    plant(history) {
      history.rows.room.permits.push(must(firstInRoom(history, "given-back").permitId, "permit that was given back"));
    },
  },
  {
    name: "a create is answered with 500",
    rule: "unexpected-answer",
    plant(history) {
      const call: RoomCall = firstInRoom(history, "queued");
      call.answer = { is: "unexpected", what: "500" };
    },
  },
];
