/** What a planted violation is, and how it finds its place in a history. */
import type { EndedRow, History } from "../checker/history.ts";
import type { Answer, Call, EndingReason } from "../load/call.ts";

export interface Plant {
  /** What a service does that is broken so. */
  name: string;
  rule: string;
  /** Changes the history. Throws where it has no place for it. */
  plant(history: History): void;
}

export function must<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`the history has no ${what}`);
  return value;
}

/** A call with an answer of that kind. */
export type Answered<Is extends Answer["is"]> = Call & { answer: Extract<Answer, { is: Is }> };

/** All calls with that answer that fit. */
export function answered<Is extends Answer["is"]>(
  history: History,
  is: Is,
  fits: (call: Answered<Is>) => boolean = () => true,
): Answered<Is>[] {
  return history.calls.filter((call): call is Answered<Is> => call.answer.is === is && fits(call as Answered<Is>));
}

export function firstAnswered<Is extends Answer["is"]>(
  history: History,
  is: Is,
  fits?: (call: Answered<Is>) => boolean,
): Answered<Is> {
  return must(answered(history, is, fits)[0], `call that is answered ${is}, and fits`);
}

export const callsOf = (history: History, sessionId: string): Call[] =>
  history.calls.filter((call) => call.sessionId === sessionId);

/** A session that ended so, was started by an answered call and beaten by another. */
export function endedRow(
  history: History,
  reason: EndingReason,
  fits: (row: EndedRow) => boolean = () => true,
): EndedRow {
  const row = history.rows.history.find(
    (ended) =>
      ended.reason === reason &&
      callsOf(history, ended.sessionId).some(({ answer }) => answer.is === "started" && !answer.resumed) &&
      callsOf(history, ended.sessionId).some(
        ({ answer, operation }) => answer.is === "live" && operation === "heartbeat",
      ) &&
      fits(ended),
  );
  return must(row, `session that was ${reason}, and fits`);
}

/** The first answer to the session that is of that kind. */
export const answerTo = <Is extends Answer["is"]>(history: History, sessionId: string, is: Is): Answered<Is> =>
  firstAnswered(history, is, (call) => call.sessionId === sessionId);

/** When the last call was answered. */
export const endOf = (history: History): number => Math.max(...history.calls.map((call) => call.answeredAt));
