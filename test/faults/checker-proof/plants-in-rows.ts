/** Planted: rows that do not fit the answers. */
import type { ActiveRow, EndedRow, History } from "../checker/history.ts";
import { answered, callsOf, endedRow, endOf, firstAnswered, must, type Plant } from "./plant.ts";

const isRowOf = (sessionId: string) => (row: ActiveRow) => row.sessionId === sessionId;

/** Two sessions of one key, the first begun before the second was requested. */
function inTurn(history: History): [EndedRow, EndedRow] {
  for (const later of history.rows.history) {
    const asked = Math.min(...callsOf(history, later.sessionId).map((call) => call.sentAt));
    const earlier = history.rows.history.find(
      (row) =>
        row.key === later.key &&
        row.generation < later.generation &&
        answered(history, "started", (call) => call.sessionId === row.sessionId && call.answeredAt < asked).length > 0,
    );
    if (earlier) return [earlier, later];
  }
  throw new Error("the history has no two sessions one after the other");
}

/** In the rows and in all answers. */
function giveGeneration(history: History, row: ActiveRow, generation: number): void {
  row.generation = generation;
  for (const { answer } of callsOf(history, row.sessionId)) {
    const own = answer.is === "started" || answer.is === "live" || (answer.is === "active" && answer.isCurrent);
    if (own) answer.generation = generation;
  }
}

/** Says another reason, in the rows and in all answers. */
function giveReason(history: History, row: EndedRow, reason: EndedRow["reason"]): void {
  Object.assign(row, { reason, replacedByGeneration: null });
  for (const { answer } of callsOf(history, row.sessionId)) if (answer.is === "ended") answer.reason = reason;
}

const expiredBefore = (history: History, { key, generation }: EndedRow): EndedRow[] =>
  history.rows.history.filter((row) => row.key === key && row.generation < generation && row.reason === "expired");

export const plantsInRows: Plant[] = [
  {
    name: "an acknowledged start is in no row",
    rule: "lost-start",
    plant(history) {
      const { sessionId } = endedRow(history, "replaced");
      history.rows.history = history.rows.history.filter((row) => !isRowOf(sessionId)(row));
    },
  },
  {
    name: "an acknowledged end is in no row",
    rule: "lost-end",
    plant(history) {
      const { sessionId } = firstAnswered(history, "done", ({ answer }) => answer.success);
      history.rows.history = history.rows.history.filter((row) => !isRowOf(sessionId)(row));
    },
  },
  {
    name: "a session that was acknowledged to be ended is still there",
    rule: "lost-end",
    plant(history) {
      const { sessionId } = firstAnswered(history, "done", ({ answer }) => answer.success);
      const row = must(history.rows.history.find(isRowOf(sessionId)), "row of an ended session");
      history.rows.history = history.rows.history.filter((other) => other !== row);
      history.rows.active.push(row);
    },
  },
  {
    name: "a session was replaced by one that there is not",
    rule: "unexplained-replaced",
    plant(history) {
      endedRow(history, "replaced").replacedByGeneration = 1_234;
    },
  },
  {
    name: "a start replaced a session that was not the one before it",
    rule: "unexplained-replaced",
    plant(history) {
      const last = must(history.rows.history.filter(({ reason }) => reason === "replaced").at(-1), "replaced session");
      const row = endedRow(history, "replaced", (other) => other.key === last.key && other !== last);
      [row.replacedByGeneration, last.replacedByGeneration] = [last.replacedByGeneration, row.replacedByGeneration];
    },
  },
  {
    name: "one start replaced two sessions",
    rule: "unexplained-replaced",
    plant(history) {
      const later = must(
        history.rows.history.find((row) => row.reason === "replaced" && expiredBefore(history, row).length > 0),
        "session that was replaced after another had expired",
      );
      const [row] = expiredBefore(history, later);
      Object.assign(row as EndedRow, { reason: "replaced", replacedByGeneration: later.replacedByGeneration });
    },
  },
  {
    name: "a session counts as ended that nobody ended",
    rule: "unexplained-ended",
    plant(history) {
      const silent = endedRow(history, "expired", ({ sessionId }) =>
        callsOf(history, sessionId).every(({ operation }) => operation !== "end"),
      );
      giveReason(history, silent, "ended");
    },
  },
  {
    name: "a session counts as revoked that no operator touched",
    rule: "unexplained-revoked",
    plant(history) {
      const silent = endedRow(history, "expired", ({ sessionId }) =>
        callsOf(history, sessionId).every(({ operation }) => operation !== "kick"),
      );
      giveReason(history, silent, "revoked");
    },
  },
  {
    name: "a session counts as expired that was silent for less than the timeout",
    rule: "early-expiry",
    plant(history) {
      endedRow(history, "expired").endedAt -= 2;
    },
  },
  {
    name: "two sessions of a key have one generation",
    rule: "shared-generation",
    plant(history) {
      const [first, second] = inTurn(history);
      giveGeneration(history, second, first.generation);
    },
  },
  {
    name: "the generation falls from one start to the next",
    rule: "falling-generation",
    plant(history) {
      const [first, second] = inTurn(history);
      const { generation } = first;
      giveGeneration(history, first, second.generation);
      giveGeneration(history, second, generation);
    },
  },
  {
    name: "a session is both live and in the history",
    rule: "twice-in-rows",
    plant(history) {
      history.rows.active.push(endedRow(history, "ended"));
    },
  },
  {
    name: "an ending is written twice",
    rule: "twice-in-rows",
    plant(history) {
      history.rows.history.push({ ...endedRow(history, "expired") });
    },
  },
  {
    name: "two sessions hold one key",
    rule: "two-holders",
    plant(history) {
      const isHeld = (key: number) => history.rows.active.some((row) => row.key === key);
      history.rows.active.push(endedRow(history, "replaced", (row) => isHeld(row.key)));
    },
  },
  {
    name: "the key is held by one who had a successor",
    rule: "two-holders",
    plant(history) {
      const row = endedRow(history, "replaced");
      history.rows.active = [...history.rows.active.filter(({ key }) => key !== row.key), row];
      history.rows.history = history.rows.history.filter((other) => other !== row);
    },
  },
  {
    name: "the key's generation stands behind one that was given out",
    rule: "key-behind",
    plant(history) {
      must(
        history.rows.keys.find(({ generation }) => generation > 0),
        "key that was started",
      ).generation -= 1;
    },
  },
  {
    name: "a session is in the rows that nobody started",
    rule: "row-of-nobody",
    plant(history) {
      history.rows.history.push({ ...endedRow(history, "ended"), sessionId: "zzzzzzzz-of-nobody" });
    },
  },
  {
    name: "a session's row has another generation than the answers",
    rule: "two-generations",
    plant(history) {
      endedRow(history, "ended").generation += 1;
    },
  },
  {
    name: "the last acknowledged heartbeat is not in the row",
    rule: "lost-heartbeat",
    plant(history) {
      const row = endedRow(history, "replaced");
      const { offsetMs } = history.circumstances.clock;
      const sentAt = row.lastHeartbeat - offsetMs + 500;
      const [one] = answered(history, "live", (call) => call.sessionId === row.sessionId);
      const beat = must(one, "beat");
      const proof = beat.proof && { ...beat.proof, beatId: "another one" };
      history.calls.push({ ...beat, proof, operation: "heartbeat", sentAt, answeredAt: sentAt + 1 });
    },
  },
  {
    name: "a heartbeat counts that nobody sent",
    rule: "misplaced-heartbeat",
    plant(history) {
      const at = endOf(history) + 10_000 + history.circumstances.clock.offsetMs;
      must(history.rows.active[0], "live session at the end").lastHeartbeat = at;
    },
  },
  {
    name: "a start is carried out long after its caller was told 503",
    rule: "misplaced-start",
    plant(history) {
      const row = endedRow(history, "ended");
      const { offsetMs } = history.circumstances.clock;
      for (const call of callsOf(history, row.sessionId)) {
        if (call.operation !== "start") continue;
        Object.assign(call, {
          answer: { is: "unknown", why: "503" },
          sentAt: row.startedAt - offsetMs - 6_000,
          answeredAt: row.startedAt - offsetMs - 5_500,
        });
      }
    },
  },
  {
    name: "an end is carried out before it was sent",
    rule: "misplaced-end",
    plant(history) {
      const row = endedRow(history, "ended");
      row.endedAt -= 60_000;
    },
  },
  {
    name: "a kick is carried out long after",
    rule: "misplaced-kick",
    plant(history) {
      endedRow(history, "revoked").endedAt += 60_000;
    },
  },
  {
    name: "the rows have another start than its answer",
    rule: "two-moments",
    plant(history) {
      endedRow(history, "ended").startedAt += 1;
    },
  },
  {
    name: "a session was replaced at another moment than its successor started",
    rule: "two-moments",
    plant(history) {
      endedRow(history, "replaced").endedAt += 1;
    },
  },
];
