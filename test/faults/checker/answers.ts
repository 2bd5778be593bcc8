/** Each answer by itself: one that its operation may give, and no word in it that cannot be. */
import { type Call, maskSessionId } from "../load/call.ts";
import { describeCall, type Violation } from "./history.ts";
import type { KeyStory } from "./story.ts";

export function checkAnswers(story: KeyStory): Violation[] {
  return story.calls.flatMap((call) =>
    judge(story, call).map(([rule, what]) => ({ rule, sentence: `${what}: ${describeCall(call)}` })),
  );
}

type Fault = [rule: string, what: string];

function judge(story: KeyStory, call: Call): Fault[] {
  const { answer } = call;
  const faults: Fault[] = [];
  if (answer.is === "unexpected") faults.push(["unexpected-answer", "no answer that this call may get"]);
  if (answer.is === "active") faults.push(...judgeStatus(story, call, answer));
  if (answer.is === "refused") faults.push(...judgeRefusal(story, call, answer));
  if (answer.is === "not-found") {
    const born = story.byId.get(call.sessionId)?.born;
    if (born && born.at <= call.sentAt) {
      faults.push(["forgotten-session", `not found, though it had begun (${describeCall(born.call)})`]);
    }
  }
  return faults;
}

function judgeStatus(story: KeyStory, call: Call, answer: Call["answer"] & { is: "active" }): Fault[] {
  const { sessionId, isCurrent, generation } = answer;
  const whole = story.byId.has(sessionId);
  if (whole && sessionId !== call.sessionId) return [["shown-secret", "another session's id is shown whole"]];
  const own = whole || sessionId === maskSessionId(call.sessionId);
  if (isCurrent !== own || isCurrent !== whole) return [["wrong-current", "is_current is wrong, or the id beside it"]];
  const shown = whole ? story.byId.get(sessionId) : story.byMask.get(sessionId);
  if (!shown) return [["row-of-nobody", "names a session that nobody started"]];
  if (shown.generation !== undefined && shown.generation !== generation) {
    return [["two-generations", `that session has generation ${shown.generation}`]];
  }
  return [];
}

function judgeRefusal(story: KeyStory, call: Call, answer: Call["answer"] & { is: "refused" }): Fault[] {
  const { code, holderGeneration } = answer;
  if (code === "session_id_used" || (code === "lease_unavailable" && call.operation === "lease")) return [];
  const leased = answer.leasedUntil !== undefined;
  const inUse = code === "key_in_use" && (call.refuse === true || leased);
  const changed = code === "holder_changed" && call.expectedGeneration !== undefined;
  if (!inUse && !changed) return [["refused-unasked", "refused for what it did not ask for"]];
  if (holderGeneration === undefined || !story.byGeneration.has(holderGeneration)) {
    return [["refused-without-holder", "refused for a holder whom nobody knows"]];
  }
  if (changed && !inUse && holderGeneration === call.expectedGeneration) {
    return [["refused-without-holder", "refused though the holder is the expected one"]];
  }
  return [];
}
