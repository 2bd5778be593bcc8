/**
 * Batch sessions by their rows and by what their workers were answered: a result that was acknowledged is there until another
 * takes its place, none is there that nobody sent, the counts are counts, everything is told once and in order, a worker that was
 * replaced changes nothing, and a run ends once, by somebody who wanted it.
 */
import type { BatchCall, NodeValue } from "../load/batch-call.ts";
import { type BatchRun, describeCall, type History, lastEffect, type Violation } from "./history.ts";

interface RunStory {
  run: BatchRun;
  calls: BatchCall[];
  history: History;
}

type Rule = (story: RunStory) => Violation[];
type Put = BatchCall & { node: string; value: NodeValue; attempt: number };

const RULES: Rule[] = [checkResults, checkReads, checkCounts, checkAttempts, checkEnding, checkEvents];

export function checkBatch(history: History): Violation[] {
  const { batchCalls, rows } = history;
  const stories = rows.batch.map((run) => {
    const calls = batchCalls.filter(
      ({ sessionId, answer }) => (answer.is === "made" ? answer.sessionId : sessionId) === run.sessionId,
    );
    return { run, calls, history };
  });
  return [
    ...batchCalls.flatMap(checkAnswer),
    ...checkMade(history),
    ...stories.flatMap((story) => RULES.flatMap((rule) => rule(story))),
  ];
}

const wrong = (rule: string, what: string, ...calls: BatchCall[]): Violation => ({
  rule,
  sentence: [what, ...calls.map(describeCall)].join(": "),
});

function checkAnswer(call: BatchCall): Violation[] {
  const { answer } = call;
  return answer.is === "unexpected" ? [wrong("unexpected-answer", "no answer that this call may get", call)] : [];
}

/** A request with a key makes one run, however often it is sent. */
function checkMade({ batchCalls, rows }: History): Violation[] {
  const made = batchCalls.filter(({ answer }) => answer.is === "made");
  const lost = made.filter(
    ({ answer }) => !rows.batch.some((run) => answer.is === "made" && run.sessionId === answer.sessionId),
  );
  const paths = rows.batch.map(({ path }) => path);
  const twice = paths.filter((path, at) => paths.indexOf(path) !== at);
  return [
    ...lost.map((call) => wrong("lost-run", "the run that was made is not there", call)),
    ...twice.map((path) => wrong("made-twice", `${path} has several runs`)),
  ];
}

const isPut = (call: BatchCall): call is Put => call.operation === "put";
const isSame = (one: NodeValue, other: NodeValue) => one.status === other.status && one.result === other.result;

/** Whoever is stored at the end: somebody sent it, and nobody was told later that another was stored. */
function checkResults({ run, calls, history }: RunStory): Violation[] {
  const puts = calls.filter(isPut);
  const violations: Violation[] = [];
  for (const [node, value] of Object.entries(run.nodes)) {
    const own = puts.filter((put) => put.node === node && isSame(put.value, value));
    if (own.length === 0)
      violations.push(wrong("invented-result", `${run.path} has a result of ${node} that nobody sent`));
    const until = Math.max(...own.map((put) => lastEffect(put, history.circumstances)));
    const later = puts.find((put) => put.node === node && put.answer.is === "stored" && put.sentAt > until);
    if (own.length > 0 && later)
      violations.push(wrong("lost-result", `${run.path} has an older result of ${node}`, later));
  }
  for (const put of puts) {
    if (put.answer.is === "stored" && run.nodes[put.node] === undefined) {
      violations.push(wrong("lost-result", `${run.path} has no result of ${put.node}`, put));
    }
  }
  return violations;
}

/** What a reader sees was sent by then, and has all that was acknowledged before. */
function checkReads({ calls }: RunStory): Violation[] {
  const puts = calls.filter(isPut);
  const violations: Violation[] = [];
  for (const read of calls) {
    const { answer } = read;
    if (answer.is !== "run") continue;
    for (const put of puts) {
      if (put.answer.is === "stored" && put.answeredAt < read.sentAt && answer.nodes[put.node] === undefined) {
        violations.push(wrong("untrue-run", `${put.node} is in, and not shown`, put, read));
      }
    }
    for (const [node, value] of Object.entries(answer.nodes)) {
      const sent = puts.some((put) => put.node === node && isSame(put.value, value) && put.sentAt < read.answeredAt);
      if (!sent) violations.push(wrong("invented-result", `${node} is shown, and nobody has sent it`, read));
    }
    if (!isCount(answer.counts, Object.values(answer.nodes))) {
      violations.push(wrong("wrong-counts", "the counts are not those of the results", read));
    }
  }
  return violations;
}

const isCount = (counts: number[], values: NodeValue[]): boolean =>
  (["success", "failed", "skipped"] as const).every(
    (status, at) => counts[at] === values.filter((value) => value.status === status).length,
  );

function checkCounts({ run }: RunStory): Violation[] {
  return isCount(run.counts, Object.values(run.nodes))
    ? []
    : [wrong("wrong-counts", `${run.path} counts other results than it has`)];
}

/** Each claim has an attempt of its own; once it is answered, those before it change nothing. */
function checkAttempts({ run, calls }: RunStory): Violation[] {
  const violations: Violation[] = [];
  const claims = calls.filter(({ answer }) => answer.is === "claimed");
  const attemptOf = ({ answer }: BatchCall) => (answer.is === "claimed" ? answer.attempt : 0);
  for (const [at, claim] of claims.entries()) {
    const other = claims.find(
      (one, place) => place > at && attemptOf(one) === attemptOf(claim) && one.worker !== claim.worker,
    );
    if (other) violations.push(wrong("attempt-twice", "two workers have one attempt", claim, other));
    if (attemptOf(claim) > run.attempt)
      violations.push(wrong("attempt-twice", `${run.path} has forgotten an attempt`, claim));
    const late = calls.find(
      (put) =>
        isPut(put) && put.answer.is === "stored" && put.attempt < attemptOf(claim) && put.sentAt > claim.answeredAt,
    );
    if (late) violations.push(wrong("outdated-worker", "a worker that was replaced is heard", claim, late));
  }
  return violations;
}

const isOver = (state: string) => !["pending", "running"].includes(state);

/** Every answer after the end agrees with it; it was somebody's wish, and nothing is stored afterwards. */
function checkEnding({ run, calls }: RunStory): Violation[] {
  const violations: Violation[] = [];
  const { state, reason } = run;
  let known: BatchCall | undefined;
  for (const call of calls) {
    const { answer } = call;
    if (!("state" in answer)) continue;
    if (isOver(answer.state)) {
      if (answer.state !== state || answer.reason !== reason) {
        violations.push(wrong("ending-differs", `${run.path} is ${state}, ${reason}`, call));
      }
      if (known === undefined || call.answeredAt < known.answeredAt) known = call;
    }
  }
  for (const call of calls) {
    if (!known || call.sentAt <= known.answeredAt) continue;
    const { answer } = call;
    const lives = answer.is === "stored" || answer.is === "claimed" || (answer.is === "run" && !isOver(answer.state));
    if (lives) violations.push(wrong("after-end", `${run.path} is over, and goes on`, known, call));
  }
  if (!isOver(state)) return violations;
  const how = { reported: "complete", cancelled: "cancel" }[String(reason)];
  const wanted = calls.some(
    ({ operation, answer }) => operation === how && (answer.is === "ended" || answer.is === "unknown"),
  );
  if (!wanted) violations.push(wrong("unwanted-end", `${run.path} ended as ${state}, ${reason}, and nobody wanted it`));
  return violations;
}

/** What watchers are told: without a gap, each change once, the end last; and it comes to what is stored. */
function checkEvents({ run, calls }: RunStory): Violation[] {
  const { events, path } = run;
  const violations: Violation[] = [];
  if (events.some(({ id }, at) => id !== at + 1))
    violations.push(wrong("event-gap", `${path} has a gap in its events`));
  const ends = events.filter(({ event }) => event === "complete").length;
  if (ends !== (isOver(run.state) ? 1 : 0) || (ends === 1 && events.at(-1)?.event !== "complete")) {
    violations.push(wrong("told-twice", `the end of ${path} is told ${ends} times, or not as the last`));
  }
  const told = events.filter(({ event }) => event === "node_complete");
  for (const [node, { status }] of Object.entries(run.nodes)) {
    const own = told.filter(({ data }) => data.node_id === node);
    const sent = new Set(calls.filter((call) => call.node === node).map((call) => call.value?.result)).size;
    if (own.length > sent)
      violations.push(wrong("told-twice", `${node} of ${path} is told ${own.length} times, sent were ${sent}`));
    if (own.at(-1)?.data.status !== status)
      violations.push(wrong("untold-result", `${node} of ${path} is ${status}, and was told otherwise`));
  }
  const last = told.at(-1)?.data;
  const counts = last ? [last.completed_nodes, last.failed_nodes, last.skipped_nodes] : [0, 0, 0];
  if (counts.join() !== run.counts.join())
    violations.push(wrong("wrong-counts", `${path} told other counts than it has`));
  return violations;
}
