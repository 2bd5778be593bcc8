/**
 * Proof: a copy is told where two processes really ran, and nowhere else, whatever breaks; and only those who prove that they
 * run keep a session alive that has proof.
 */
import type { Call, ProofSent } from "../load/call.ts";
import { mayBeLost } from "./expiry.ts";
import {
  type Circumstances,
  describeCall,
  type History,
  LATE_MS,
  mayActAt,
  mayHaveActed,
  type Violation,
} from "./history.ts";
import type { KeyStory, SessionStory } from "./story.ts";

/** A beat that was challenged so often, with the answer each time but the first, and nobody else near, is refused for ever. */
const CHALLENGES_MAX = 3;

export function checkProof(story: KeyStory, history: History): Violation[] {
  return story.sessions.flatMap((session) => [
    ...checkAlarm(session, history),
    ...checkWords(session),
    ...checkUnproven(session),
    ...checkDisplaced(session),
    ...checkNumbers(session, history.circumstances),
    ...checkChallenges(session),
  ]);
}

type Proven = Call & { proof: ProofSent };

const proven = (session: SessionStory): Proven[] =>
  session.calls.filter((call): call is Proven => call.proof !== undefined);
const isAccepted = ({ answer }: Call) => /^(live|started|leased)$/.test(answer.is);
const speaksOfProof = ({ operation }: Call) => operation === "heartbeat" || operation === "lease";
const toldOfCopy = ({ answer }: Call) => answer.is === "ended" && answer.reason === "cloned";

/** Whoever started it proved, so it has proof all its life. */
export const hasProof = ({ starts }: SessionStory): boolean =>
  starts.length > 0 && starts.every(({ proof }) => proof !== undefined);

/** No false alarm; and the copy was proved by an answer to a challenge, at that moment. */
function checkAlarm(session: SessionStory, { copies, circumstances }: History): Violation[] {
  const copied = copies.find(({ sessionId }) => sessionId === session.id);
  const told = session.calls.filter(toldOfCopy);
  const early = told.find(({ answeredAt }) => copied === undefined || answeredAt < copied.from);
  if (early) {
    return [{ rule: "false-alarm", sentence: `told of a copy, and there was but one process: ${describeCall(early)}` }];
  }
  return session.ended.flatMap((row): Violation[] => {
    if (row.reason !== "cloned") return [];
    const who = session.id.slice(0, 8);
    if (!copied)
      return [{ rule: "false-alarm", sentence: `${who} is a copy in the history, and there was but one process` }];
    const at = row.endedAt - circumstances.clock.offsetMs;
    const proofs = proven(session).filter(
      (call) => call.proof.answers && (call.answer.is === "unknown" || toldOfCopy(call)),
    );
    if (proofs.some((call) => mayActAt(call, at, circumstances))) return [];
    return [{ rule: "unproven-copy", sentence: `${who} ended as a copy, which no answer to a challenge proved` }];
  });
}

/** Those who sent no proof are told that it was revoked, in words that all clients know; those who did, of the copy. */
function checkWords({ calls }: SessionStory): Violation[] {
  return calls.flatMap((call) => {
    const { answer, proof } = call;
    if (answer.is !== "ended" || answer.reason !== "cloned" || !speaksOfProof(call)) return [];
    if ((proof === undefined) === (answer.asRevoked === true)) return [];
    return [{ rule: "wrong-words", sentence: `told of the copy in the words for others: ${describeCall(call)}` }];
  });
}

function checkUnproven(session: SessionStory): Violation[] {
  if (!hasProof(session)) return [];
  return session.calls
    .filter((call) => speaksOfProof(call) && call.proof === undefined && isAccepted(call))
    .map((call) => ({ rule: "lived-unproven", sentence: `kept alive or leased without proof: ${describeCall(call)}` }));
}

/** An instance that was accepted, and then another, is never accepted again: there are two, and both are to be told. */
function checkDisplaced(session: SessionStory): Violation[] {
  const accepted = proven(session)
    .filter(isAccepted)
    .sort((a, b) => a.sentAt - b.sentAt);
  return accepted.flatMap((again) => {
    const { instance } = again.proof;
    const other = accepted.find(
      (between) =>
        between.proof.instance !== instance &&
        between.answeredAt < again.sentAt &&
        accepted.some((first) => first.proof.instance === instance && first.answeredAt < between.sentAt),
    );
    if (!other) return [];
    const sentence = `accepted again, though another process had been since (${describeCall(other)}): ${describeCall(again)}`;
    return [{ rule: "untold-copy", sentence }];
  });
}

/** Of one instance the numbers of different beats rise; whoever is behind is another process. A crash may lose mere beats. */
function checkNumbers(session: SessionStory, { crashes }: Circumstances): Violation[] {
  const accepted = proven(session).filter(isAccepted);
  return accepted.flatMap((late) => {
    const before = accepted.find(
      ({ proof, answeredAt, sentAt }) =>
        proof.instance === late.proof.instance &&
        proof.beatId !== late.proof.beatId &&
        proof.number >= late.proof.number &&
        answeredAt < late.sentAt &&
        !mayBeLost({ sentAt, answeredAt }, crashes),
    );
    if (!before) return [];
    const sentence = `accepted, though not higher than one before (${describeCall(before)}): ${describeCall(late)}`;
    return [{ rule: "untold-copy", sentence }];
  });
}

/** Whoever runs, alone, and answers is accepted. */
function checkChallenges(session: SessionStory): Violation[] {
  const challenged = proven(session).filter(({ answer }) => answer.is === "challenged");
  const beats = new Set(challenged.map(({ proof }) => proof.beatId));
  return [...beats].flatMap((beatId) => {
    const calls = challenged.filter(({ proof }) => proof.beatId === beatId);
    const [first, last] = [calls[0] as Proven, calls.at(-1) as Proven];
    const isAlone = session.calls.every(
      (call) =>
        call.proof?.beatId === first.proof.beatId ||
        !mayHaveActed(call) ||
        call.answeredAt < first.sentAt - LATE_MS ||
        call.sentAt > last.answeredAt,
    );
    const answered = calls.filter(({ proof }) => proof.answers).length;
    if (answered < CHALLENGES_MAX || !isAlone) return [];
    const sentence = `challenged ${calls.length} times, though it answered, and nobody else beat: ${describeCall(last)}`;
    return [{ rule: "endless-challenge", sentence }];
  });
}
