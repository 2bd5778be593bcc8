/**
 * Matches by their rows and by what their players were answered. An action that was acknowledged is there once, at the sequence
 * that it was told; one that was refused is not; of an unknown outcome it is there once at most. The events, without a gap, fold
 * to the state, and each is legal where it stands (match-order.ts). Every answer shows a moment between two events, no earlier
 * than what was known before it was asked for (match-answers.ts).
 */
import type { MatchCall } from "../load/match-call.ts";
import { type History, type MatchEvent, mayActAt, type Violation } from "./history.ts";
import { checkAnswers } from "./match-answers.ts";
import { checkOrder } from "./match-order.ts";
import { asksFor, isCaused, type MatchStory, type Moment, tellMoments, whoPassed, wrong } from "./match-story.ts";

type Rule = (story: MatchStory) => Violation[];

const RULES: Rule[] = [checkSequences, checkState, checkActions, checkVersions, checkCauses, checkOrder, checkAnswers];

export function checkMatches(history: History): Violation[] {
  const { matchCalls, rows, circumstances } = history;
  const stories = rows.matches.map((row): MatchStory => {
    const calls = matchCalls.filter(
      ({ sessionId, answer }) => (answer.is === "made" ? answer.sessionId : sessionId) === row.sessionId,
    );
    return {
      row,
      calls: calls.toSorted((a, b) => a.answeredAt - b.answeredAt),
      moments: tellMoments(row),
      circumstances,
    };
  });
  return [
    ...matchCalls.flatMap(checkAnswer),
    ...checkMade(history),
    ...stories.flatMap((story) => RULES.flatMap((rule) => rule(story))),
  ];
}

function checkAnswer(call: MatchCall): Violation[] {
  return call.answer.is === "unexpected" ? [wrong("unexpected-answer", "no answer that this call may get", call)] : [];
}

/** A request with a key makes one match, however often it is sent. */
function checkMade({ matchCalls, rows }: History): Violation[] {
  const there = new Set(rows.matches.map(({ sessionId }) => sessionId));
  const lost = matchCalls.filter(({ answer }) => answer.is === "made" && !there.has(answer.sessionId));
  const names = rows.matches.map(({ match }) => match);
  const twice = names.filter((name, at) => names.indexOf(name) !== at);
  return [
    ...lost.map((call) => wrong("lost-match", "the match that was made is not there", call)),
    ...twice.map((name) => wrong("made-twice", `${name} is several matches`)),
  ];
}

function checkSequences({ row }: MatchStory): Violation[] {
  const isGapless = row.events.every(({ id }, at) => id === at + 1);
  return isGapless ? [] : [wrong("sequence-gap", `${row.match} has not the sequences 1, 2, 3 …`)];
}

/** What is stored is what the events say. */
function checkState({ row, moments }: MatchStory): Violation[] {
  const end = moments.at(-1) as Moment;
  const differs = (["state", "reason", "version", "standings", "numbers", "winner"] as const).filter(
    (what) => JSON.stringify(row[what]) !== JSON.stringify(end[what]),
  );
  return differs.map((what) =>
    wrong("state-differs", `${what} of ${row.match} is ${row[what]}, and by its events ${end[what]}`),
  );
}

/** Each action by its id: there as it was acknowledged, once, and told alike however often it was asked for. */
function checkActions({ row, calls }: MatchStory): Violation[] {
  const violations: Violation[] = [];
  const ids = row.events.flatMap(({ data }) => data.data.action_id ?? []);
  for (const [at, id] of ids.entries()) {
    if (ids.indexOf(id) !== at) violations.push(wrong("action-twice", `${row.match} has the action ${id} twice`));
  }
  const first = new Map<string, MatchCall>();
  for (const call of calls) {
    const { answer, action } = call;
    if (answer.is !== "happened" || action === undefined) continue;
    const event = row.events.find(({ data }) => data.data.action_id === action.id);
    if (!event) violations.push(wrong("lost-action", "an acknowledged action is not there", call));
    else if (event.id !== answer.sequence) {
      violations.push(wrong("moved-action", `an action stands at ${event.id}, and was told another sequence`, call));
    }
    const before = first.get(action.id) ?? call;
    first.set(action.id, before);
    if (before.answer.is === "happened" && before.answer.digest !== answer.digest) {
      violations.push(wrong("answer-differs", "one action got two answers", before, call));
    }
  }
  return violations;
}

/** Of changes that each want one version to be the present one, the first alone makes the next. */
function checkVersions({ calls }: MatchStory): Violation[] {
  const makers = calls.filter(
    ({ version, answer }) => answer.is === "shown" && version !== undefined && answer.version === version + 1,
  );
  return makers.flatMap((call, at) => {
    const first = makers.find(({ version }) => version === call.version);
    return first === makers[at] ? [] : [wrong("version-twice", "two calls made one version", first as MatchCall, call)];
  });
}

/** What happened was asked for, by a call that was not refused, and happened while that call was under way. */
function checkCauses(story: MatchStory): Violation[] {
  const { row, calls, circumstances } = story;
  const violations: Violation[] = [];
  for (const [at, event] of row.events.entries()) {
    if (!isCaused(event)) continue;
    const what = `${event.event} ${event.id} of ${row.match}`;
    const asked = calls.filter((call) => asksFor(call, event));
    const [refused] = asked;
    const causes = asked.filter(({ answer }) => answer.is !== "refused");
    const moment = event.at - circumstances.clock.offsetMs;
    const timely = causes.filter((call) => mayActAt(call, moment, circumstances));
    if (refused === undefined) violations.push(wrong("invented-event", `${what} was asked for by nobody`));
    else if (causes.length === 0) violations.push(wrong("refused-yet-there", `${what} was refused`, refused));
    else if (timely.length === 0) {
      violations.push(wrong("misplaced-event", `no call for ${what} was under way`, nearest(causes, moment)));
    }
    violations.push(...checkPassage(story, at, timely));
  }
  return violations;
}

const nearest = (calls: MatchCall[], moment: number): MatchCall =>
  calls.reduce((one, other) => (Math.abs(other.sentAt - moment) < Math.abs(one.sentAt - moment) ? other : one));

/** A list comes and goes whole: those of it who did not move were there, or gone, before. */
function checkPassage({ row, moments }: MatchStory, at: number, causes: MatchCall[]): Violation[] {
  const event = row.events[at] as MatchEvent;
  if (event.event !== "joined" && event.event !== "left") return [];
  const moved = whoPassed(row, event);
  const before = moments[at] as Moment;
  const isSo = (player: string) => (before.status[player] === "active") === (event.event === "joined");
  const isWhole = ({ players = [] }: MatchCall) =>
    moved.every((player) => players.includes(player)) &&
    players.every((player) => moved.includes(player) || isSo(player));
  if (causes.length === 0 || causes.some(isWhole)) return [];
  return [wrong("half-passage", `${event.event} ${event.id} of ${row.match}: some of those who were named`, ...causes)];
}
