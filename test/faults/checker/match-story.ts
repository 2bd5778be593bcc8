/** One match: its row, the calls about it, and the moments between its events, one of which every answer must show. */
import { fold } from "../../sessions/game/combat/support/fold.ts";
import type { MatchAction, MatchCall, MatchView } from "../load/match-call.ts";
import type { Circumstances, MatchEvent, MatchRow, Violation } from "./history.ts";
import { describeCall } from "./history.ts";

export interface MatchStory {
  row: MatchRow;
  /** In the order of their answers. */
  calls: MatchCall[];
  /** Before the first event, after it, after the second … */
  moments: Moment[];
  circumstances: Circumstances;
}

/** How a match stands, by its events up to one. */
export interface Moment extends Required<Omit<MatchView, "reason">> {
  reason: string | null;
  hasBegun: boolean;
  /** By player. */
  status: Record<string, string>;
  /** False: the call that has caused the last event has caused the next one too, so nobody may see it. */
  isWhole: boolean;
}

export function tellMoments(row: MatchRow): Moment[] {
  return [undefined, ...row.events].map((_, after) => tellMoment(row, after));
}

function tellMoment({ events, ...began }: MatchRow, after: number): Moment {
  const past = events.slice(0, after);
  const { participants, phase, winner, numbers } = fold(past, began);
  const players = Object.entries(participants);
  const end = past.find(({ event }) => event === "ended")?.data.data;
  const isPaused = past.findLast(({ event }) => event === "paused" || event === "resumed")?.event === "paused";
  return {
    last: after,
    state: end?.status ?? (isPaused ? "paused" : "active"),
    reason: end?.ended_reason ?? null,
    version: 1 + past.filter((event, at) => raisesVersion(event, past[at - 1])).length,
    standings: players.map(([player, { status, health, score }]) => `${player} ${status} ${health} ${score}`),
    numbers,
    winner,
    over: phase === "finished",
    hasBegun: phase !== "preparation",
    status: Object.fromEntries(players.map(([player, { status }]) => [player, status])),
    isWhole: !isOneCall(past.at(-1), events[after]),
  };
}

/** Actions do not, nor what comes by itself; of those who come together the first. */
const raisesVersion = (event: MatchEvent, before: MatchEvent | undefined): boolean =>
  !["action", "started"].includes(event.event) && !isOnePassage(before, event);

const isOnePassage = (one: MatchEvent | undefined, next: MatchEvent | undefined): boolean =>
  one !== undefined &&
  (one.event === "joined" || one.event === "left") &&
  one.event === next?.event &&
  one.at === next.at;

const isOneCall = (one: MatchEvent | undefined, next: MatchEvent | undefined): boolean =>
  isOnePassage(one, next) || (next?.event === "ended" && next.data.data.ended_reason === "decided");

/** Those who came, or went, by the call of that event. */
export function whoPassed({ events }: MatchRow, { event: what, at }: MatchEvent): string[] {
  return events.filter((event) => event.event === what && event.at === at).map(({ data }) => data.data.player_id);
}

/** Whether the event is what that call asks for. */
export function asksFor(call: MatchCall, { event, data: { data } }: MatchEvent): boolean {
  const { operation, players, action } = call;
  switch (event) {
    case "action":
      return action !== undefined && isAction(action, data);
    case "joined":
    case "left":
      return operation === (event === "joined" ? "join" : "leave") && players?.includes(data.player_id) === true;
    case "paused":
    case "resumed":
      return operation === (event === "paused" ? "pause" : "resume");
    default:
      return operation === (data.status === "completed" ? "complete" : "terminate");
  }
}

const isAction = (action: MatchAction, data: Record<string, unknown>): boolean =>
  action.id === data.action_id &&
  action.player === data.player_id &&
  action.type === data.action_type &&
  action.target === data.target_id;

/** Whether a call must have caused it. */
export const isCaused = ({ event, data: { data } }: MatchEvent): boolean =>
  event !== "started" && (event !== "ended" || data.ended_reason === "requested");

export const wrong = (rule: string, what: string, ...calls: MatchCall[]): Violation => ({
  rule,
  sentence: [what, ...calls.map(describeCall)].join(": "),
});
