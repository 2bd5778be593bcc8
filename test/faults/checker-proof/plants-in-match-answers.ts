/** Planted: what the players of matches must not be answered. */
import type { History } from "../checker/history.ts";
import {
  type Answered,
  actionsOf,
  endedMatch,
  eventOfAction,
  firstInMatch,
  isAlone,
  isOf,
  late,
  livingMatch,
  matchOf,
} from "./match-history.ts";
import { must, type Plant } from "./plant.ts";

export const plantsInMatchAnswers: Plant[] = [
  {
    name: "an action that is sent again gets another answer",
    rule: "answer-differs",
    plant(history) {
      late(history, firstInMatch(history, "happened")).answer.digest = "another";
    },
  },
  {
    name: "an action that is sent again happens anew, at another sequence",
    rule: "moved-action",
    plant(history) {
      late(history, firstInMatch(history, "happened")).answer.sequence++;
    },
  },
  {
    name: "an action that has happened is refused when it is sent again",
    rule: "refused-yet-there",
    plant(history) {
      const call = firstInMatch(history, "happened");
      Object.assign(late(history, call), { answer: { is: "refused", code: "paused" } });
    },
  },
  {
    name: "a player is shown less damage right after an action than it has done",
    rule: "untrue-answer",
    plant(history) {
      const { answer } = firstInMatch(history, "happened");
      must(answer.standings, "standings")[0] += "0";
    },
  },
  {
    name: "a reader is shown a score that nobody ever had",
    rule: "untrue-answer",
    plant(history) {
      const { answer } = firstInMatch(history, "shown", ({ operation }) => operation === "state");
      must(answer.standings, "standings")[0] += "0";
    },
  },
  {
    name: "a reader is told one action more than there is",
    rule: "untrue-answer",
    plant(history) {
      const { numbers } = firstInMatch(history, "shown", ({ operation }) => operation === "read").answer;
      must(numbers, "numbers")[0] = 10_000;
    },
  },
  {
    name: "a reader is shown a match as it was before what was acknowledged",
    rule: "stale-answer",
    plant(history) {
      const row = livingMatch(history);
      const made = firstInMatch(history, "made", ({ answer }) => answer.sessionId === row.sessionId);
      const { is, sessionId, ...view } = structuredClone(made.answer);
      const read = late(history, must(history.matchCalls.find(isOf(row, "read")), "read"));
      Object.assign(read, { answer: { ...view, is: "shown" } });
    },
  },
  {
    name: "a match that is over is shown as it was while it was played",
    rule: "stale-answer",
    plant(history) {
      const row = endedMatch(history, "requested");
      const made = firstInMatch(history, "made", ({ answer }) => answer.sessionId === row.sessionId);
      const { is, sessionId, ...view } = structuredClone(made.answer);
      Object.assign(late(history, must(history.matchCalls.find(isOf(row, "read")), "read")), {
        answer: { ...view, is: "shown" },
      });
    },
  },
  {
    name: "a reader is shown what nobody has done yet",
    rule: "early-answer",
    plant(history) {
      const seen = firstInMatch(history, "shown", (call) => lastActionIn(history, call) !== undefined);
      const id = lastActionIn(history, seen);
      const asked = history.matchCalls.filter(({ action }) => action !== undefined && action.id === id);
      const sentAt = Math.min(...asked.map((call) => call.sentAt));
      Object.assign(seen, { sentAt: sentAt - 2, answeredAt: sentAt - 1 });
    },
  },
  {
    name: "an end is told otherwise than it is stored",
    rule: "untrue-answer",
    plant(history) {
      const isEnding = isOf(endedMatch(history, "requested"), "complete", "terminate");
      firstInMatch(history, "shown", isEnding).answer.state = "paused";
    },
  },
  {
    name: "a call after the end is told another end",
    rule: "refused-without-cause",
    plant(history) {
      firstInMatch(history, "refused", ({ answer }) => answer.code === "session_over").answer.reason = "silence";
    },
  },
  {
    name: "an action is refused for a pause that nobody made",
    rule: "refused-without-cause",
    plant(history) {
      const row = livingMatch(history);
      const call = firstInMatch(history, "happened", (one) => one.sessionId === row.sessionId);
      const refused = late(history, call);
      Object.assign(refused, { answer: { is: "refused", code: "paused" }, action: { ...refused.action, id: "new" } });
    },
  },
  {
    name: "somebody who takes part is told that they do not",
    rule: "refused-without-cause",
    plant(history) {
      const refused = late(history, firstInMatch(history, "happened"));
      Object.assign(refused, {
        answer: { is: "refused", code: "not_participant" },
        action: { ...refused.action, id: "new" },
      });
    },
  },
  {
    name: "a match is full for somebody who has a place",
    rule: "refused-without-cause",
    plant(history) {
      const joined = firstInMatch(history, "shown", ({ operation }) => operation === "join");
      Object.assign(late(history, joined), { answer: { is: "refused", code: "full" } });
    },
  },
  {
    name: "a place is promised that is not there",
    rule: "untrue-answer",
    plant(history) {
      const joined = firstInMatch(history, "shown", ({ operation }) => operation === "join");
      Object.assign(late(history, joined), { players: ["one-more"] });
    },
  },
  {
    name: "two versions are one",
    rule: "untrue-answer",
    plant(history) {
      const paused = firstInMatch(
        history,
        "shown",
        ({ operation, answer }) => operation === "pause" && answer.state === "paused",
      );
      paused.answer.version = 1;
    },
  },
  {
    name: "of two changes that want one version both are made",
    rule: "version-twice",
    plant(history) {
      const paused = firstInMatch(
        history,
        "shown",
        ({ operation, answer }) => operation === "pause" && !!answer.version,
      );
      paused.version = (paused.answer.version as number) - 1;
      late(history, paused);
    },
  },
  {
    name: "an action stands before one that was known when it was sent",
    rule: "early-answer",
    plant(history) {
      const row = livingMatch(history);
      const isOwn = (call: { sessionId?: string }) => call.sessionId === row.sessionId;
      const call = firstInMatch(history, "happened", (one) => isOwn(one) && isAlone(history, one));
      const later = late(history, call);
      history.matchCalls = history.matchCalls.filter((one) => one !== call);
      // By a clock that tells nothing of it.
      later.answeredAt = later.sentAt + 10;
      eventOfAction(history, later).at = later.sentAt + history.circumstances.clock.offsetMs + 5;
    },
  },
  {
    name: "a stream leaves an event out",
    rule: "told-otherwise",
    plant(history) {
      const { events } = firstInMatch(history, "told", ({ answer }) => answer.events.length > 2).answer;
      events.splice(1, 1);
    },
  },
  {
    name: "a stream tells an event otherwise than it is stored",
    rule: "told-otherwise",
    plant(history) {
      const told = firstInMatch(history, "told", ({ answer }) => answer.events.some(({ event }) => event === "action"));
      must(
        told.answer.events.find(({ event }) => event === "action"),
        "action",
      ).data.data.score++;
    },
  },
  {
    name: "a stream brings once more what its reader has",
    rule: "told-otherwise",
    plant(history) {
      const told = firstInMatch(history, "told", ({ answer, after }) => after === 0 && answer.events.length > 2);
      Object.assign(told, { after: 1 });
    },
  },
  {
    name: "an action is answered with 500",
    rule: "unexpected-answer",
    plant(history) {
      const call = firstInMatch(history, "happened", (one) => matchOf(history, one).events.length > 0);
      Object.assign(call, { answer: { is: "unexpected", what: "500" } });
    },
  },
];

/** The id of the last action in the state that the call was shown. */
const lastActionIn = (history: History, call: Answered<"shown">): string | undefined =>
  actionsOf(matchOf(history, call)).findLast(({ id }) => id <= (call.answer.last ?? 0))?.data.data.action_id;
