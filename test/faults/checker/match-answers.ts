/**
 * The answers of a match's calls. Each is true of a moment between two events: one that nobody asked for too late, and that is no
 * earlier than what was known to somebody when the call was sent.
 */
import type { MatchAction, MatchCall, MatchView, ToldEvent } from "../load/match-call.ts";
import type { MatchRow, Violation } from "./history.ts";
import { asksFor, isCaused, type MatchStory, type Moment, wrong } from "./match-story.ts";

export function checkAnswers(story: MatchStory): Violation[] {
  const violations: Violation[] = [];
  const knowledge = createKnowledge();
  const askedAt = whenAsked(story);
  for (const call of story.calls) {
    const { answer, sentAt, answeredAt } = call;
    if (answer.is === "unknown" || answer.is === "unexpected") continue;
    if (answer.is === "told") {
      violations.push(...checkTold(story.row, call, answer.events));
      const last = answer.events.at(-1)?.id ?? 0;
      if ((askedAt[last] ?? 0) <= answeredAt) knowledge.add(answeredAt, last);
      else violations.push(wrong("early-answer", "it tells what was asked for afterwards", call));
      continue;
    }
    const known = knowledge.at(sentAt);
    const fitting = story.moments.filter((moment) => moment.isWhole && fits(call, moment, story.row));
    const placed = fitting.filter(({ last }) => last >= (answer.is === "happened" ? 0 : known));
    const moment = placed.find(({ last }) => (askedAt[last] as number) <= answeredAt);
    if (moment) knowledge.add(answeredAt, moment.last);
    else violations.push(judge(call, { fitting, placed }));
    violations.push(...checkRefused(story, call, known));
  }
  return violations;
}

/** How far a match was known to have come. */
function createKnowledge() {
  const known = [{ at: Number.NEGATIVE_INFINITY, last: 0 }];
  return {
    /** In the order of the answers. */
    add: (at: number, last: number) => known.push({ at, last: Math.max(last, known.at(-1)?.last ?? 0) }),
    /** Before then. */
    at: (moment: number): number => known.findLast(({ at }) => at < moment)?.last ?? 0,
  };
}

/** When at the earliest it can have come to each moment: all that happened before it had been asked for. */
function whenAsked({ row, calls }: MatchStory): number[] {
  let latest = Number.NEGATIVE_INFINITY;
  const moments = [latest];
  for (const event of row.events) {
    const causes = calls.filter((call) => call.answer.is !== "refused" && asksFor(call, event));
    const sent = isCaused(event) ? causes.map(({ sentAt }) => sentAt) : [];
    if (sent.length > 0) latest = Math.max(latest, Math.min(...sent));
    moments.push(latest);
  }
  return moments;
}

function judge(call: MatchCall, { fitting, placed }: Record<"fitting" | "placed", Moment[]>): Violation {
  if (call.answer.is === "refused") return wrong("refused-without-cause", "nothing explains the refusal then", call);
  if (fitting.length === 0) return wrong("untrue-answer", "at no moment it was so", call);
  if (placed.length === 0) return wrong("stale-answer", "more was known before", call);
  return wrong("early-answer", "it says what was asked for afterwards", call);
}

function fits(call: MatchCall, moment: Moment, row: MatchRow): boolean {
  const { answer } = call;
  if (answer.is === "refused") return isRefusal(call, answer, moment, row);
  if (answer.is === "happened") {
    // With its own event the end, if it decides.
    const own = answer.last === answer.sequence || (answer.last === answer.sequence + 1 && answer.over === true);
    if (!own) return false;
  }
  const { status } = moment;
  if (call.operation === "join" && !call.players?.every((player) => status[player] === "active")) return false;
  if (call.operation === "leave" && call.players?.some((player) => status[player] === "active")) return false;
  return shows(answer as MatchView, moment);
}

const SHOWN = ["last", "version", "over", "state", "reason", "winner", "numbers", "standings"] as const;

const shows = (view: MatchView, moment: Moment): boolean =>
  SHOWN.every((what) => view[what] === undefined || JSON.stringify(view[what]) === JSON.stringify(moment[what]));

/** Whether what it was refused for was so. */
function isRefusal(
  call: MatchCall,
  { code, state, reason }: { code: string; state?: string; reason?: string },
  moment: Moment,
  row: MatchRow,
): boolean {
  const { status } = moment;
  const players = call.action ? [call.action.player] : (call.players ?? []);
  switch (code) {
    case "session_over":
      return moment.over && moment.state === state && moment.reason === reason;
    case "paused":
      return moment.state === "paused";
    case "not_participant":
      return players.some((player) => status[player] === undefined);
    case "not_active": // who has gone may come back, and not act
      return players.some(
        (player) => status[player] === "eliminated" || (call.action && status[player] === "disconnected"),
      );
    case "full":
      return new Set([...Object.keys(status), ...players]).size > row.places;
    case "unknown_target":
      return call.action?.target !== undefined && status[call.action.target] === undefined;
    case "version_conflict":
      return moment.version !== call.version;
    case "cooldown":
      return !moment.hasBegun || hasActed(row, call.action as MatchAction, moment.last);
    default:
      return false;
  }
}

/** Of the types of actions one has a cooldown. */
const hasActed = ({ events }: MatchRow, { player, type }: MatchAction, last: number): boolean =>
  type === "item_use" &&
  events.some(({ id, data: { data } }) => id <= last && data.player_id === player && data.action_type === type);

/** An action that had happened is answered, whatever else there is against it. */
function checkRefused({ row }: MatchStory, call: MatchCall, known: number): Violation[] {
  const { answer, action } = call;
  if (answer.is !== "refused" || !action) return [];
  const event = row.events.find(({ data }) => data.data.action_id === action.id);
  return event && event.id <= known ? [wrong("refused-yet-there", "it had happened before", call)] : [];
}

/** A stream brings what there is after what the reader has, in order, and nothing else. */
function checkTold(row: MatchRow, call: MatchCall, events: ToldEvent[]): Violation[] {
  const due = row.events.slice(call.after, (call.after ?? 0) + events.length);
  const isSo = events.every(({ id, event, data }, at) => {
    const own = due[at];
    return own?.id === id && own.event === event && JSON.stringify(own.data.data) === JSON.stringify(data.data);
  });
  return isSo ? [] : [wrong("told-otherwise", `the stream of ${row.match} is not its events`, call)];
}
