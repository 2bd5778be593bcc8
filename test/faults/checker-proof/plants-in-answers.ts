/** Planted: answers to starts, ends, status and endings that cannot be. */
import type { History } from "../checker/history.ts";
import { type Call, deviceName, maskSessionId } from "../load/call.ts";
import { answered, answerTo, callsOf, endedRow, endOf, firstAnswered, must, type Plant } from "./plant.ts";

const freshStart = (history: History, fits: (previous: string | null) => boolean = () => true) =>
  firstAnswered(history, "started", ({ answer }) => !answer.resumed && fits(answer.previous));

/** A start that took the key over from a session of which the history knows the answer to its start, too. */
const takeover = (history: History) => freshStart(history, (previous) => previous !== null);

const twin = (call: Call, changes: Partial<Call>): Call => ({ ...call, ...changes });

export const plantsInAnswers: Plant[] = [
  {
    name: "a heartbeat is answered with 500",
    rule: "unexpected-answer",
    plant(history) {
      const call: Call = firstAnswered(history, "live");
      call.answer = { is: "unexpected", what: "500" };
    },
  },
  {
    name: "a session that was acknowledged is not found",
    rule: "forgotten-session",
    plant(history) {
      const call = answered(history, "live").at(-1) as Call;
      const at = endOf(history);
      history.calls.push(twin(call, { sentAt: at + 1, answeredAt: at + 2, answer: { is: "not-found" } }));
    },
  },
  {
    name: "two answers name two reasons for one ending",
    rule: "two-reasons",
    plant(history) {
      const call = firstAnswered(history, "ended", ({ answer }) => answer.reason === "replaced");
      call.answer.reason = "ended";
    },
  },
  {
    name: "two answers name two moments for one ending",
    rule: "two-moments",
    plant(history) {
      firstAnswered(history, "ended").answer.endedAt += 1;
    },
  },
  {
    name: "a replaced device is not told by which other",
    rule: "wrong-successor",
    plant(history) {
      delete firstAnswered(history, "ended", ({ answer }) => answer.reason === "replaced").answer.by;
    },
  },
  {
    name: "a replaced device is told that it was another one than it was",
    rule: "wrong-successor",
    plant(history) {
      const call = firstAnswered(history, "ended", ({ answer }) => answer.reason === "replaced");
      call.answer.by = deviceName(call.sessionId);
    },
  },
  {
    name: "two calls each end the same session",
    rule: "ended-twice",
    plant(history) {
      const call = firstAnswered(history, "done", ({ answer }) => answer.success);
      history.calls.push(twin(call, {}));
    },
  },
  {
    name: "an end says that it ended what another device replaced",
    rule: "two-reasons",
    plant(history) {
      const row = endedRow(history, "replaced");
      const call: Call = answerTo(history, row.sessionId, "live");
      history.calls.push(twin(call, { operation: "end", answer: { is: "done", success: true } }));
    },
  },
  {
    name: "a start does not name the one that it replaced",
    rule: "wrong-previous",
    plant(history) {
      takeover(history).answer.previous = null;
    },
  },
  {
    name: "a start names another one than it replaced",
    rule: "wrong-previous",
    plant(history) {
      const call = takeover(history);
      const other = must(
        history.calls.find(({ operation, key }) => operation === "start" && key !== call.key),
        "start of another key",
      );
      call.answer.previous = maskSessionId(other.sessionId);
    },
  },
  {
    name: "two starts name the same one as replaced",
    rule: "named-twice",
    plant(history) {
      const call = takeover(history);
      const other = firstAnswered(
        history,
        "started",
        (start) => start.key === call.key && !start.answer.resumed && start !== call,
      );
      other.answer.previous = call.answer.previous;
    },
  },
  {
    name: "a start that was to leave a live holder alone replaces it",
    rule: "replaced-unasked",
    plant(history) {
      takeover(history).refuse = true;
    },
  },
  {
    name: "a start that was to replace one generation replaces another",
    rule: "replaced-unasked",
    plant(history) {
      takeover(history).expectedGeneration = 1_234;
    },
  },
  {
    name: "a start is refused though it did not ask to be",
    rule: "refused-unasked",
    plant(history) {
      const call = firstAnswered(history, "refused", ({ answer }) => answer.code === "key_in_use");
      delete call.refuse;
    },
  },
  {
    name: "a start is refused for a holder whom nobody knows",
    rule: "refused-without-holder",
    plant(history) {
      firstAnswered(history, "refused", ({ answer }) => answer.code === "key_in_use").answer.holderGeneration = 1_234;
    },
  },
  {
    name: "a start is refused though the holder is the one that it expects",
    rule: "refused-without-holder",
    plant(history) {
      const call = firstAnswered(history, "refused", ({ answer }) => answer.code === "holder_changed");
      call.expectedGeneration = must(call.answer.holderGeneration, "generation of a holder");
      delete call.refuse;
    },
  },
  {
    name: "a start that was refused has started a session",
    rule: "refused-yet-started",
    plant(history) {
      const call: Call = firstAnswered(
        history,
        "started",
        ({ sessionId }) => callsOf(history, sessionId).filter(({ operation }) => operation === "start").length === 1,
      );
      call.answer = { is: "refused", code: "key_in_use", holderGeneration: 1 };
    },
  },
  {
    name: "a live session's own start is refused as if another held the key",
    rule: "refused-itself",
    plant(history) {
      const call = answered(history, "live").at(-1) as Call;
      const answer = { is: "refused" as const, code: "key_in_use", holderGeneration: 1 };
      const at = endOf(history);
      history.calls.push(twin(call, { operation: "start", refuse: true, sentAt: at + 1, answeredAt: at + 2, answer }));
    },
  },
  {
    name: "the first start of an id is told that it resumed",
    rule: "resumed-nothing",
    plant(history) {
      const call = firstAnswered(
        history,
        "started",
        ({ sessionId, answer }) =>
          !answer.resumed && callsOf(history, sessionId).filter(({ operation }) => operation === "start").length === 1,
      );
      call.answer.resumed = true;
    },
  },
  {
    name: "two starts of an id are both told that they started it",
    rule: "started-twice",
    plant(history) {
      const call = freshStart(history);
      history.calls.push(twin(call, {}));
    },
  },
  {
    name: "a session is live before anybody has asked for it",
    rule: "seen-before-start",
    plant(history) {
      const call: Call = firstAnswered(history, "live");
      const asked = Math.min(...callsOf(history, call.sessionId).map(({ sentAt }) => sentAt));
      history.calls.push(twin(call, { sentAt: asked - 20, answeredAt: asked - 10 }));
    },
  },
  {
    name: "a heartbeat's answer has another generation than the start's",
    rule: "two-generations",
    plant(history) {
      firstAnswered(history, "live").answer.generation += 1;
    },
  },
  {
    name: "a status shows the generation of another session",
    rule: "two-generations",
    plant(history) {
      firstAnswered(history, "active", ({ answer }) => !answer.isCurrent).answer.generation += 1;
    },
  },
  {
    name: "a status says to the holder that it is not the current one",
    rule: "wrong-current",
    plant(history) {
      const { answer } = firstAnswered(history, "active", (call) => call.answer.isCurrent);
      answer.isCurrent = false;
      answer.sessionId = maskSessionId(answer.sessionId);
    },
  },
  {
    name: "a status says to another device that it is the current one",
    rule: "wrong-current",
    plant(history) {
      firstAnswered(history, "active", ({ answer }) => !answer.isCurrent).answer.isCurrent = true;
    },
  },
  {
    name: "a status shows somebody else's id whole",
    rule: "shown-secret",
    plant(history) {
      const call = firstAnswered(history, "active", ({ answer }) => !answer.isCurrent);
      const whole = history.calls.find(({ sessionId }) => maskSessionId(sessionId) === call.answer.sessionId);
      call.answer.sessionId = must(whole, "holder of a status").sessionId;
    },
  },
  {
    name: "a status names somebody who never started",
    rule: "row-of-nobody",
    plant(history) {
      firstAnswered(history, "active", ({ answer }) => !answer.isCurrent).answer.sessionId = "zzzzzzzz…";
    },
  },
  {
    name: "a watch stream stays open and does not tell the ending",
    rule: "missed-ending",
    plant(history) {
      const { key, sessionId, server, answeredAt } = firstAnswered(history, "ended");
      history.streams.push({ key, sessionId, server, openedAt: 0, closedAt: answeredAt + 13_000, told: false });
    },
  },
];
