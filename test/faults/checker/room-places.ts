/** Each user's places: a place that was granted is in the audit until the user closes it or falls silent. */
import type { RoomCall, RoomOperation } from "../load/room-call.ts";
import { earliestDeadline, mayBeLost } from "./expiry.ts";
import { describeCall, type History, mayActAt, type RoomMove, type Violation } from "./history.ts";
import { describeMove } from "./room-audit.ts";
import type { Period, UserStory } from "./room-users.ts";

/** What an answer says of where the user stood at some moment of the call. */
const SAID: Partial<Record<RoomCall["answer"]["is"], Period["state"][]>> = {
  seated: ["seated"],
  queued: ["queued"],
  nowhere: ["nowhere"],
  granted: ["seated"],
  full: ["seated"],
  "not-active": ["queued", "nowhere"],
};

/** Only a call of the user brings these about. */
const CAUSES: Partial<Record<string, RoomOperation>> = {
  seated: "create",
  queued: "create",
  closed: "close",
  left: "close",
};

export function checkPlaces(story: UserStory, history: History): Violation[] {
  return [
    ...story.calls.flatMap((call) => checkAnswer(call, story, history)),
    ...story.moves.flatMap((move) => [...checkCause(move, story, history), ...checkSilence(move, story, history)]),
  ];
}

function checkAnswer(call: RoomCall, { periods }: UserStory, { circumstances }: History): Violation[] {
  const said = SAID[call.answer.is];
  if (!said) return [];
  const { errorMs } = circumstances.clock;
  const meanwhile = periods.filter(({ from, to }) => from <= call.answeredAt + errorMs && to >= call.sentAt - errorMs);
  if (meanwhile.some(({ state }) => said.includes(state))) return [];
  const lost = !said.includes("nowhere") && meanwhile.every(({ state }) => state === "nowhere");
  const stood = meanwhile.map(({ state }) => state).join(", then ");
  const sentence = `by the audit the user was ${stood}: ${describeCall(call)}`;
  return [{ rule: lost ? "lost-place" : "untrue-place", sentence }];
}

function checkCause(move: RoomMove, { calls }: UserStory, { circumstances }: History): Violation[] {
  const cause = CAUSES[move.move];
  if (cause === undefined && move.move !== "removed") return [];
  const at = move.at - circumstances.clock.offsetMs;
  if (calls.some((call) => call.operation === cause && mayActAt(call, at, circumstances))) return [];
  const sentence = `no call of the user explains it, at ${(at / 1000).toFixed(3)} s: ${describeMove(move)}`;
  return [{ rule: `misplaced-${cause ?? "removal"}`, sentence }];
}

/** A place that silence took: not before a whole timeout since its user was last heard of, outages aside. */
function checkSilence(move: RoomMove, { calls, moves }: UserStory, { circumstances }: History): Violation[] {
  const { clock, crashes, roomTimeoutMs } = circumstances;
  const timeoutMs = roomTimeoutMs[move.move as keyof typeof roomTimeoutMs];
  if (timeoutMs === undefined) return [];
  const at = move.at - clock.offsetMs;
  const heard = calls.filter(
    (call) =>
      ["seated", "queued", "granted", "full"].includes(call.answer.is) &&
      call.answeredAt + clock.errorMs < at &&
      !(call.operation === "position" && mayBeLost(call, crashes)),
  );
  // A seat that has come up waits for its user as after a sign of life.
  const cameUp = moves.filter((before) => before.id < move.id && before.move === "promoted").at(-1);
  const promotedAt = move.move === "unclaimed" && cameUp ? cameUp.at - clock.offsetMs : Number.NEGATIVE_INFINITY;
  const heardAt = Math.max(...heard.map((call) => call.sentAt), promotedAt);
  const deadline = earliestDeadline(heardAt, timeoutMs, circumstances);
  if (heardAt === Number.NEGATIVE_INFINITY || at + clock.errorMs >= deadline) return [];
  const early = ((deadline - at) / 1000).toFixed(1);
  const sentence = `lost ${early} s early, after the user was heard of at ${(heardAt / 1000).toFixed(3)} s: ${describeMove(move)}`;
  return [{ rule: "early-loss", sentence }];
}
