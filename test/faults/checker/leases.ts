/**
 * Leases: nobody else starts while one holds, its device comes back by it, asked again it is the same, and once it is over
 * the key is free. A lease surely holds from its answer until the first call that may have ended it was sent, or until its
 * time; it is surely over when a call that ended it was answered.
 */
import type { Call } from "../load/call.ts";
import { type Circumstances, describeCall, type History, mayHaveActed, type Violation } from "./history.ts";
import type { KeyStory } from "./story.ts";

interface Lease {
  leaseId: string;
  /** The first call that was answered with it. */
  given: Call;
  issuedAt: number;
  until: number;
  /** On the clock of the calls. */
  heldFrom: number;
  heldTo: number;
  overAt: number;
}

export function checkLeases(story: KeyStory, { circumstances }: History): Violation[] {
  const leases = findLeases(story, circumstances);
  return [
    ...checkOthers(story, leases, circumstances),
    ...checkSame(story, leases, circumstances),
    ...checkKeptOut(story, leases),
    ...checkReturns(story, leases),
  ];
}

function findLeases(story: KeyStory, { clock }: Circumstances): Lease[] {
  const given = new Map<string, Call[]>();
  for (const call of story.calls) {
    if (call.answer.is !== "leased") continue;
    const { leaseId } = call.answer;
    given.set(leaseId, [...(given.get(leaseId) ?? []), call]);
  }
  return [...given].map(([leaseId, calls]) => {
    const first = calls.reduce((a, b) => (a.answeredAt <= b.answeredAt ? a : b));
    const { issuedAt, until } = first.answer as Call["answer"] & { is: "leased" };
    const { sessionId } = first;
    // A start that replaces needs no lease once this one is over; a kick of any session of the key may be of this one.
    const ends = story.calls.filter((call) => mayEnd(call, leaseId));
    const surely = ends.filter(
      (call) => call.answer.is !== "unknown" && (call.operation !== "kick" || call.sessionId === sessionId),
    );
    const outOfTime = until - clock.offsetMs;
    return {
      leaseId,
      given: first,
      issuedAt,
      until,
      heldFrom: first.answeredAt,
      heldTo: Math.min(outOfTime - clock.errorMs, ...ends.map((call) => call.sentAt)),
      overAt: Math.min(outOfTime + clock.errorMs, ...surely.map((call) => call.answeredAt)),
    };
  });
}

function mayEnd(call: Call, leaseId: string): boolean {
  const { operation, answer } = call;
  if (operation === "kick") return mayHaveActed(call);
  if (call.leaseId !== leaseId) return false;
  if (operation === "return") return answer.is !== "returned" || answer.success;
  return operation === "start" && mayHaveActed(call) && !(answer.is === "started" && answer.resumed);
}

/** Of every session the start, as the answers and the rows date it. */
function checkOthers(story: KeyStory, leases: Lease[], { clock }: Circumstances): Violation[] {
  return story.sessions.flatMap((session) => {
    const answer = session.starts.find((call) => call.answer.is === "started")?.answer;
    const startedAt =
      answer?.is === "started"
        ? answer.startedAt
        : [...session.active, ...session.ended].map((row) => row.startedAt)[0];
    if (startedAt === undefined) return [];
    const at = startedAt - clock.offsetMs;
    return leases.flatMap((lease) => {
      const own = session.id === lease.given.sessionId || session.starts.some((call) => call.leaseId === lease.leaseId);
      const inside = at - clock.errorMs > lease.heldFrom && at + clock.errorMs < lease.heldTo;
      if (own || !inside) return [];
      const who = session.id.slice(0, 8);
      return [
        {
          rule: "started-beside-lease",
          sentence: `${who} started while this lease held: ${describeCall(lease.given)}`,
        },
      ];
    });
  });
}

function checkSame(story: KeyStory, leases: Lease[], { clock }: Circumstances): Violation[] {
  return story.calls.flatMap((call): Violation[] => {
    const { answer } = call;
    if (answer.is !== "leased") return [];
    const other = leases.find(
      ({ leaseId, heldFrom, heldTo }) =>
        leaseId !== answer.leaseId && call.sentAt > heldFrom && call.answeredAt < heldTo,
    );
    const sentence = (what: string, given: Call) => `${what} (${describeCall(given)}): ${describeCall(call)}`;
    if (other) return [{ rule: "second-lease", sentence: sentence("another lease while one held", other.given) }];
    const own = leases.find(({ leaseId }) => leaseId === answer.leaseId);
    if (!own) return [];
    if (own.given.sessionId !== call.sessionId) {
      return [{ rule: "shared-lease", sentence: sentence("the lease of another session", own.given) }];
    }
    // Where the clock jumps, leases of the future are dated anew.
    const moved = own.until !== answer.until || own.issuedAt !== answer.issuedAt;
    if (!moved || !Number.isFinite(clock.errorMs)) return [];
    return [{ rule: "moved-lease", sentence: sentence("the same lease with other times", own.given) }];
  });
}

/** Who is refused for a lease: there is one, and it is not his own. */
function checkKeptOut(story: KeyStory, leases: Lease[]): Violation[] {
  return story.calls.flatMap((call): Violation[] => {
    const { answer } = call;
    if (answer.is !== "refused" || answer.leasedUntil === undefined) return [];
    const own = leases.find(({ leaseId }) => leaseId === call.leaseId);
    if (own && call.sentAt > own.heldFrom && call.answeredAt < own.heldTo) {
      return [{ rule: "refused-own-lease", sentence: `refused, though it has the lease: ${describeCall(call)}` }];
    }
    const mayHold = leases.some(({ given, overAt }) => given.sentAt <= call.answeredAt && overAt >= call.sentAt);
    const unknown = story.calls.some(
      ({ operation, answer, sentAt }) => operation === "lease" && answer.is === "unknown" && sentAt <= call.answeredAt,
    );
    if (mayHold || unknown) return [];
    return [{ rule: "kept-out", sentence: `refused for a lease that is over, or never was: ${describeCall(call)}` }];
  });
}

/** One call ends a lease, and only one that holds. */
function checkReturns(story: KeyStory, leases: Lease[]): Violation[] {
  return leases.flatMap((lease) => {
    const calls = story.calls.filter((call) => call.operation === "return" && call.leaseId === lease.leaseId);
    const ended = calls.filter(({ answer }) => answer.is === "returned" && answer.success);
    if (ended.length > 1) return [{ rule: "returned-twice", sentence: ended.map(describeCall).join("; ") }];
    const vain = calls.find(
      (call) =>
        call.answer.is === "returned" &&
        !call.answer.success &&
        call.sentAt > lease.heldFrom &&
        call.answeredAt < lease.heldTo,
    );
    if (!vain) return [];
    return [{ rule: "lost-lease", sentence: `given back in vain, though it held: ${describeCall(vain)}` }];
  });
}
