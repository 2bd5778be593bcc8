/** Planted: two live at once, the dead come back, the living are buried. */
import { type EndedRow, type History, LATE_MS } from "../checker/history.ts";
import { type Call, type EndingReason, maskSessionId } from "../load/call.ts";
import { answered, callsOf, endedRow, endOf, firstAnswered, must, type Plant } from "./plant.ts";

/** A call about that session, sent and answered after everything else. */
const late = (history: History, row: EndedRow, changes: Partial<Call>): Call => ({
  operation: "heartbeat",
  key: row.key,
  sessionId: row.sessionId,
  server: 0,
  status: 200,
  sentAt: endOf(history) + 10,
  answeredAt: endOf(history) + 20,
  answer: { is: "live", generation: row.generation },
  ...changes,
});

/** A call after a silence that no session outlives. */
function longAfter(history: History, changes: Pick<Call, "key" | "sessionId" | "answer"> & Partial<Call>): Call {
  const sentAt = endOf(history) + history.circumstances.timeoutMs + LATE_MS + 1;
  return { operation: "heartbeat", server: 0, status: 200, sentAt, answeredAt: sentAt + 10, ...changes };
}

/** A session replaced by an answered start, and never told that it ended. */
function untold(history: History): { row: EndedRow; takeover: Call } {
  const row = endedRow(history, "replaced", (ended) =>
    answered(history, "started").some(
      (call) => call.answer.generation === ended.replacedByGeneration && call.key === ended.key,
    ),
  );
  const takeover = firstAnswered(
    history,
    "started",
    (call) => call.answer.generation === row.replacedByGeneration && call.key === row.key,
  );
  history.calls = history.calls.filter(
    (call) => call.sessionId !== row.sessionId || call.answer.is === "started" || call.answer.is === "live",
  );
  if (takeover.answer.previous !== null) takeover.answer.previous = null;
  return { row, takeover };
}

/** A session that ended so, and that was told so. */
const toldRow = (history: History, reason: EndingReason): EndedRow =>
  endedRow(history, reason, ({ sessionId }) => Number.isFinite(firstTold(history, sessionId)));

const firstTold = (history: History, sessionId: string): number =>
  Math.min(...answered(history, "ended", (call) => call.sessionId === sessionId).map((call) => call.answeredAt));

/** The answered start, or one that was never sent if there is none. */
const startOf = (history: History, sessionId: string): Pick<Call, "answeredAt"> =>
  answered(history, "started", (call) => call.sessionId === sessionId)[0] ?? { answeredAt: Number.POSITIVE_INFINITY };

export const plantsOfLiveness: Plant[] = [
  {
    name: "a heartbeat is accepted that was sent after the takeover was acknowledged",
    rule: "live-after-takeover",
    plant(history) {
      const { row } = untold(history);
      history.calls.push(late(history, row, {}));
    },
  },
  {
    name: "a replaced session is given back to a start of its id",
    rule: "live-after-takeover",
    plant(history) {
      const { row } = untold(history);
      const { generation, startedAt } = row;
      const answer = { is: "started" as const, generation, resumed: true, previous: null, startedAt };
      history.calls.push(late(history, row, { operation: "start", answer }));
    },
  },
  {
    name: "a watch says live to a replaced session",
    rule: "live-after-takeover",
    plant(history) {
      const { row } = untold(history);
      history.calls.push(late(history, row, { operation: "watch" }));
    },
  },
  {
    name: "a status names the one that was replaced",
    rule: "live-after-takeover",
    plant(history) {
      const { row } = untold(history);
      const answer = { is: "active" as const, sessionId: row.sessionId, isCurrent: true, generation: row.generation };
      history.calls.push(late(history, row, { operation: "status", answer }));
    },
  },
  {
    name: "a start is refused because of a holder who was replaced long ago",
    rule: "live-after-takeover",
    plant(history) {
      const { row } = untold(history);
      const answer = { is: "refused" as const, code: "key_in_use", holderGeneration: row.generation };
      history.calls.push(
        late(history, row, { operation: "start", sessionId: "someone-quite-else", refuse: true, answer }),
      );
    },
  },
  {
    name: "an end ends a session that was replaced",
    rule: "live-after-takeover",
    plant(history) {
      const { row } = untold(history);
      history.calls.push(late(history, row, { operation: "end", answer: { is: "done", success: true } }));
    },
  },
  ...(["ended", "revoked", "expired"] as const).map((reason) => ({
    name: `a session that was told to be ${reason} beats again`,
    rule: "live-after-ending",
    plant(history: History) {
      history.calls.push(late(history, toldRow(history, reason), {}));
    },
  })),
  {
    name: "a session lives on after a status said that nobody does",
    rule: "live-after-ending",
    plant(history) {
      const [holder] = history.rows.active;
      const { key, sessionId, generation } = must(holder, "live session at the end");
      const at = endOf(history);
      const call: Call = {
        operation: "status",
        key,
        sessionId: "",
        server: 0,
        status: 200,
        sentAt: at + 1,
        answeredAt: at + 2,
        answer: { is: "inactive" },
      };
      const live: Call = {
        ...call,
        operation: "heartbeat",
        sessionId,
        sentAt: at + 3,
        answeredAt: at + 4,
        answer: { is: "live", generation },
      };
      history.calls.push(call, live);
    },
  },
  {
    name: "a session lives on after an end that it was said not to have lived to see",
    rule: "live-after-ending",
    plant(history) {
      const beat = firstAnswered(history, "live", (call) => startOf(history, call.sessionId).answeredAt < call.sentAt);
      const sentAt = startOf(history, beat.sessionId).answeredAt;
      const answer = { is: "done" as const, success: false };
      history.calls.push({ ...beat, operation: "end", sentAt, answeredAt: (sentAt + beat.sentAt) / 2, answer });
    },
  },
  {
    name: "a session expires right after a beat that was acknowledged",
    rule: "early-expiry",
    plant(history) {
      const row = toldRow(history, "expired");
      const sentAt = firstTold(history, row.sessionId) - 100;
      history.calls.push(late(history, row, { sentAt, answeredAt: sentAt + 1 }));
    },
  },
  {
    name: "a session expires right after an outage of the service",
    rule: "early-expiry",
    plant(history) {
      const { sessionId } = toldRow(history, "expired");
      const beats = callsOf(history, sessionId).filter(({ answer }) => answer.is === "live" || answer.is === "started");
      const from = Math.max(...beats.map((call) => call.sentAt)) + 1;
      history.circumstances.outages.push({ from, to: firstTold(history, sessionId) - 1 });
    },
  },
  {
    name: "a session beats again after a silence longer than the timeout",
    rule: "outlived-silence",
    plant(history) {
      const { key, sessionId, generation } = must(history.rows.active[0], "live session at the end");
      history.calls.push(longAfter(history, { key, sessionId, answer: { is: "live", generation } }));
    },
  },
  {
    name: "a start replaces a session that was silent for longer than the timeout",
    rule: "outlived-silence",
    plant(history) {
      const { key, sessionId, generation, startedAt } = must(history.rows.active[0], "live session at the end");
      const previous = maskSessionId(sessionId);
      const answer = { is: "started" as const, generation: generation + 1, startedAt, resumed: false, previous };
      history.calls.push(longAfter(history, { operation: "start", key, sessionId: "someone-quite-else", answer }));
    },
  },
  {
    name: "a start finds nobody, though the holder was beating",
    rule: "early-expiry",
    plant(history) {
      const { row } = untold(history);
      Object.assign(row, {
        reason: "expired",
        replacedByGeneration: null,
        endedAt: row.lastHeartbeat + history.circumstances.timeoutMs,
      });
    },
  },
];
