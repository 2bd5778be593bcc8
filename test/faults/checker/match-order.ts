/** The events of a match one after the other: each is legal where it stands, and what it decides comes with it. */
import type { MatchEvent, Violation } from "./history.ts";
import { type MatchStory, type Moment, wrong } from "./match-story.ts";

export function checkOrder(story: MatchStory): Violation[] {
  return story.row.events.flatMap((event, at) => {
    const before = story.moments[at] as Moment;
    const where = `${event.event} ${event.id} of ${story.row.match}`;
    return [
      ...judge(event, before, story).map(([rule, what]) => wrong(rule, `${where} ${what}`)),
      ...checkDecision(story, at).map((what) => wrong("wrong-decision", `${where}: ${what}`)),
    ];
  });
}

type Fault = [rule: string, what: string];

function judge({ event, data: { data } }: MatchEvent, before: Moment, { row, circumstances }: MatchStory): Fault[] {
  if (before.over) return [["after-end", "comes after the end"]];
  const isActive = before.status[data.player_id] === "active";
  switch (event) {
    case "action":
      return judgeAction(data, before);
    case "joined":
      if (isActive || before.status[data.player_id] === "eliminated") {
        return [["told-twice", "is of somebody who was there, or out"]];
      }
      return countWith(before, data.player_id) > row.places
        ? [["too-many", `makes more than ${row.places} participants`]]
        : [];
    case "left":
      return isActive ? [] : [["told-twice", "is of somebody who was not there"]];
    case "paused":
    case "resumed":
      return (before.state === "paused") === (event === "paused") ? [["told-twice", "changes nothing"]] : [];
    case "started":
      return before.hasBegun ? [["told-twice", "comes once more"]] : [];
    case "ended": {
      const wanted = ["requested", "decided"];
      // By the database's clock, which has jumped, its time is up.
      if (circumstances.clock.errorMs === Number.POSITIVE_INFINITY) wanted.push("max_duration");
      return wanted.includes(data.ended_reason) ? [] : [["unwanted-end", "is nobody's wish"]];
    }
    default:
      return [["invented-event", "is no event of a match"]];
  }
}

const countWith = ({ status }: Moment, player: string): number => new Set([...Object.keys(status), player]).size;

// biome-ignore lint/suspicious/noExplicitAny: an event's data
function judgeAction(data: any, before: Moment): Fault[] {
  const isHeard = before.state === "active" && before.hasBegun && before.status[data.player_id] === "active";
  if (!isHeard) return [["out-of-turn", "is of somebody who may not act then"]];
  const isAimed = data.target_id === undefined || data.target_id in before.status;
  return isAimed ? [] : [["out-of-turn", "is aimed at somebody who takes no part"]];
}

/** Where an action or a leave decides it, the end comes with it, and names who has won; and nowhere else. */
function checkDecision({ row, moments }: MatchStory, at: number): string[] {
  const [event, next] = row.events.slice(at) as [MatchEvent, MatchEvent | undefined];
  const [before, after] = moments.slice(at) as [Moment, Moment];
  const { data } = event.data;
  if (event.event === "ended" && data.ended_reason === "decided" && !isDecided(row, before)) {
    return ["several are left"];
  }
  if (event.event !== "left" && !(event.event === "action" && data.eliminated)) return [];
  if (!after.isWhole && next?.event !== "ended") return []; // of those who go together the last decides
  if (!isDecided(row, after)) return [];
  if (next?.event !== "ended" || next.data.data.ended_reason !== "decided") return ["it decides, and nothing ends"];
  const [winner] = remaining(after);
  return (next.data.data.winner ?? null) === (winner ?? null) ? [] : [`${winner} has won, and is not told so`];
}

const remaining = ({ status }: Moment): string[] => Object.keys(status).filter((player) => status[player] === "active");

/** Nobody is left, or of several who began it one. */
function isDecided({ events, isPrepared, founders }: MatchStory["row"], moment: Moment): boolean {
  const left = remaining(moment).length;
  const began = isPrepared ? events.find(({ event }) => event === "started")?.data.data.participants : founders.length;
  return left === 0 || (left === 1 && moment.hasBegun && began > 1);
}
