/** Finds in a recorded history of matches what a plant may spoil. */
import type { History, MatchEvent, MatchRow } from "../checker/history.ts";
import type { MatchAnswer, MatchCall, MatchOperation } from "../load/match-call.ts";
import { must } from "./plant.ts";

export type Answered<Is extends MatchAnswer["is"]> = MatchCall & { answer: Extract<MatchAnswer, { is: Is }> };

export function firstInMatch<Is extends MatchAnswer["is"]>(
  { matchCalls }: History,
  is: Is,
  fits: (call: Answered<Is>) => boolean = () => true,
): Answered<Is> {
  const call = matchCalls.find((one): one is Answered<Is> => one.answer.is === is && fits(one as Answered<Is>));
  return must(call, `call of a match that is answered ${is}, and fits`);
}

export const matchOf = ({ rows }: History, { sessionId }: MatchCall): MatchRow =>
  must(
    rows.matches.find((row) => row.sessionId === sessionId),
    "match of that call",
  );

/** The first match of which that is so. */
export const matchWhere = ({ rows }: History, fits: (row: MatchRow) => boolean): MatchRow =>
  must(rows.matches.find(fits), "match that fits");

/** One that ended so. */
export const endedMatch = (history: History, reason: string): MatchRow =>
  matchWhere(history, (row) => row.reason === reason && actionsOf(row).length > 1);

/** One that is still played. */
export const livingMatch = (history: History): MatchRow =>
  matchWhere(history, (row) => row.state === "active" && actionsOf(row).length > 1);

export const actionsOf = ({ events }: MatchRow): MatchEvent[] => events.filter(({ event }) => event === "action");

export const eventOf = (row: MatchRow, fits: (event: MatchEvent) => boolean): MatchEvent =>
  must(row.events.find(fits), "event that fits");

export const eventOfAction = (history: History, call: MatchCall): MatchEvent =>
  eventOf(matchOf(history, call), ({ data }) => data.data.action_id === call.action?.id);

/** Whether the call is the only one for its action. */
export const isAlone = ({ matchCalls }: History, call: MatchCall): boolean =>
  matchCalls.filter(({ action }) => action?.id === call.action?.id).length === 1;

export const isOf = (row: MatchRow, ...operations: MatchOperation[]) => {
  return ({ sessionId, operation }: MatchCall) => sessionId === row.sessionId && operations.includes(operation);
};

/** The same call once more, a minute after all others. */
export function late<C extends MatchCall>(history: History, call: C): C {
  const sentAt = Math.max(...history.matchCalls.map(({ answeredAt }) => answeredAt)) + 60_000;
  const again = Object.assign(structuredClone(call), { sentAt, answeredAt: sentAt + 1 });
  history.matchCalls.push(again);
  return again;
}

/** Takes events away, as if they had never been, the others closing up. */
export function forgetEvents(row: MatchRow, ...events: MatchEvent[]): void {
  row.events = row.events.filter((event) => !events.includes(event));
  number(row);
}

/** Puts an event into its place, the others moving on. */
export function addEvent(row: MatchRow, at: number, event: Omit<MatchEvent, "id">): void {
  row.events.splice(at, 0, { id: 0, ...structuredClone(event) });
  number(row);
}

function number({ events }: MatchRow): void {
  for (const [at, event] of events.entries()) event.id = at + 1;
}
