/** Figures of a fault, all taken from the recorded calls. */
import type { BatchRun, MatchRow, RoomRows } from "../checker/history.ts";
import type { BatchCall } from "../load/batch-call.ts";
import type { Call, Copied } from "../load/call.ts";
import type { MatchCall } from "../load/match-call.ts";
import type { RoomCall } from "../load/room-call.ts";

/** Of a device, a user of the waiting room, a worker of batch sessions, or a player. */
export type AnyCall = Call | RoomCall | BatchCall | MatchCall;

const ASKS_AGAIN_MS_MAX = 1_000;

/** A server answered, if only with 503; or it did not, and the caller gave up. A cut connection is no answer. */
const wasAnswered = ({ operation, status, answer }: AnyCall): boolean =>
  operation !== "kick" && (status > 0 || (answer.is === "unknown" && answer.why === "timeout"));

const latencyMs = (call: AnyCall): number => call.answeredAt - call.sentAt;

/** A watch's last event comes when it comes; its first one must come in time. */
const isPrompt = (call: AnyCall): boolean =>
  wasAnswered(call) && !(call.operation === "watch" && call.status === 410 && call.answer.is === "ended");

export function slowestCall<C extends AnyCall>(calls: readonly C[]): C | undefined {
  return calls.filter(isPrompt).reduce<C | undefined>((slowest, call) => {
    return slowest && latencyMs(slowest) >= latencyMs(call) ? slowest : call;
  }, undefined);
}

export const slowestMs = (calls: readonly AnyCall[]): number => {
  const slowest = slowestCall(calls);
  return slowest ? latencyMs(slowest) : 0;
};

export function p99Ms(calls: readonly Call[]): number {
  const sorted = calls
    .filter(isPrompt)
    .map(latencyMs)
    .sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.99))] ?? 0;
}

export const countUnknown = (calls: readonly AnyCall[]): number =>
  calls.filter(({ answer, operation }) => answer.is === "unknown" && operation !== "watch").length;

/** When that server first gave a definite answer to a call sent from then on; undefined: it has not yet. */
export function answeredAgainAt(calls: readonly Call[], server: number, from: number): number | undefined {
  const first = calls.find((call) => call.server === server && call.sentAt >= from && call.answer.is !== "unknown");
  return first?.answeredAt;
}

/** The longest time that a start, end or heartbeat needed, retries included, for a definite answer. */
export function longestTroubleMs(calls: readonly Call[]): number {
  const troubles = new Map<string, { from: number; lastAt: number }>();
  let longest = 0;
  for (const call of calls.filter(({ operation }) => ["start", "end", "heartbeat"].includes(operation))) {
    const what = `${call.operation} ${call.sessionId}`;
    const trouble = troubles.get(what);
    // A device that fell silent meanwhile has not asked.
    const since = trouble && call.sentAt - trouble.lastAt < ASKS_AGAIN_MS_MAX ? trouble.from : call.sentAt;
    if (call.answer.is === "unknown") troubles.set(what, { from: since, lastAt: call.answeredAt });
    else if (troubles.delete(what)) longest = Math.max(longest, call.answeredAt - since);
  }
  return longest;
}

/** What the load did, in a few words. */
export function tally(calls: readonly Call[]): string {
  const fresh = calls.filter(({ answer }) => answer.is === "started" && !answer.resumed);
  const takeovers = fresh.filter(({ answer }) => answer.is === "started" && answer.previous !== null).length;
  const expired = new Set(
    calls.filter(({ answer }) => answer.is === "ended" && answer.reason === "expired").map((call) => call.sessionId),
  ).size;
  return (
    `${calls.length} calls, ${fresh.length} starts, ${takeovers} takeovers, ${expired} expiries, ` +
    `${countUnknown(calls)} unknown outcomes`
  );
}

/** What the devices did that prove that they run, and those that work offline. */
export function tallyTrust(calls: readonly Call[], copies: readonly Copied[]): string {
  const sessionsOf = (fits: (call: Call) => boolean) => new Set(calls.filter(fits).map((call) => call.sessionId)).size;
  const proven = sessionsOf(({ proof }) => proof !== undefined);
  const challenges = calls.filter(({ answer }) => answer.is === "challenged").length;
  const told = sessionsOf(({ answer }) => answer.is === "ended" && answer.reason === "cloned");
  const unproven = calls.filter(({ answer }) => answer.is === "proof-required").length;
  const leases = sessionsOf(({ answer }) => answer.is === "leased");
  const keptOut = calls.filter(({ answer }) => answer.is === "refused" && answer.leasedUntil !== undefined).length;
  const back = calls.filter(({ answer, leaseId }) => answer.is === "started" && leaseId !== undefined).length;
  return (
    `${proven} sessions with proof, ${challenges} challenges, ${copies.length} copied and ${told} told, ` +
    `${unproven} beats without proof; ${leases} leases, ${keptOut} kept out by them, ${back} back by theirs`
  );
}

/** What the users of the waiting room did and met. */
export function tallyRoom(calls: readonly RoomCall[], { moves }: RoomRows): string {
  const count = (...those: string[]) => moves.filter(({ move }) => those.includes(move)).length;
  const permits = calls.filter(({ answer }) => answer.is === "granted").length;
  return (
    `${calls.length} calls, ${count("queued", "seated")} places, ${count("promoted")} promotions, ${count("closed", "left")} closed, ` +
    `${count("expired", "abandoned", "unclaimed")} lost by silence, ${permits} permits, ${countUnknown(calls)} unknown outcomes`
  );
}

/** What the workers of batch sessions did and met. */
export function tallyBatch(calls: readonly BatchCall[], runs: readonly BatchRun[]): string {
  const count = (is: BatchCall["answer"]["is"]) => calls.filter(({ answer }) => answer.is === is).length;
  const ended = runs.filter(({ reason }) => reason !== null).length;
  return (
    `${calls.length} calls, ${runs.length} runs, ${ended} ended, ${count("stored")} results stored, ${count("claimed")} claims, ` +
    `${count("outdated")} reports too late, ${countUnknown(calls)} unknown outcomes`
  );
}

/** What the players of matches did and met. */
export function tallyMatches(calls: readonly MatchCall[], matches: readonly MatchRow[]): string {
  const count = (is: MatchCall["answer"]["is"]) => calls.filter(({ answer }) => answer.is === is).length;
  const ended = matches.filter(({ reason }) => reason !== null).length;
  const acts = calls.filter(({ operation }) => operation === "act");
  const actions = matches.reduce((sum, { numbers }) => sum + (numbers[0] as number), 0);
  return (
    `${calls.length} calls, ${matches.length} matches, ${ended} ended, ${acts.length} times acted, ${actions} actions, ` +
    `${count("refused")} refusals, ${countUnknown(calls)} unknown outcomes, ${countUnknown(acts)} of them of actions`
  );
}

export const inSeconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
