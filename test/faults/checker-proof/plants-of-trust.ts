/** Planted: false alarms, copies that nobody is told of, lives without proof, leases that hold nobody out or too long. */
import type { History } from "../checker/history.ts";
import type { Call, ProofSent } from "../load/call.ts";
import { type Answered, answered, callsOf, endOf, firstAnswered, must, type Plant } from "./plant.ts";

const isCopied = ({ copies }: History, { sessionId }: Pick<Call, "sessionId">) =>
  copies.some((copy) => copy.sessionId === sessionId);
/** The same call again, sent and answered after everything else. */
const afterAll = (history: History, call: Call, changes: Partial<Call>): void => {
  const at = endOf(history);
  history.calls.push({ ...call, sentAt: at + 1, answeredAt: at + 2, ...changes });
};
/** The same call again, right after it was answered. */
const rightAfter = (history: History, call: Call, changes: Partial<Call>): void => {
  history.calls.push({ ...call, sentAt: call.answeredAt + 1, answeredAt: call.answeredAt + 2, ...changes });
};

/** A heartbeat with proof that was accepted. */
const provenBeat = (history: History, fits: (call: Call) => boolean = () => true) =>
  firstAnswered(
    history,
    "live",
    (call) => call.operation === "heartbeat" && call.proof !== undefined && fits(call),
  ) as Answered<"live"> & {
    proof: ProofSent;
  };

const isTold = ({ answer, proof }: Call) => answer.is === "ended" && answer.reason === "cloned" && proof !== undefined;

/** A process that was told of the copy, after it and then the other one had been accepted. */
const displaced = (history: History): Call =>
  must(
    history.calls.find((told) => {
      if (!isTold(told)) return false;
      const accepted = callsOf(history, told.sessionId).filter(
        ({ answer, proof }) => proof && (answer.is === "live" || answer.is === "started"),
      );
      const own = accepted.filter(({ proof }) => proof?.instance === told.proof?.instance);
      return accepted.some(
        ({ proof, sentAt, answeredAt }) =>
          proof?.instance !== told.proof?.instance &&
          answeredAt < told.sentAt &&
          own.some((before) => before.answeredAt < sentAt),
      );
    }),
    "process that was displaced, and then told of the copy",
  );

const generationOf = (history: History, sessionId: string) =>
  must(
    [...history.rows.active, ...history.rows.history].find((row) => row.sessionId === sessionId),
    "row of that session",
  ).generation;

/** Each lease that was asked for again, and what was answered then. */
const askedAgain = (history: History): Answered<"leased"> => {
  const all = answered(history, "leased");
  return must(
    all.find(({ answer, sentAt }) =>
      all.some((first) => first.answer.leaseId === answer.leaseId && first.answeredAt < sentAt),
    ),
    "lease that was asked for again",
  );
};

/** A start that was kept out by a lease, while it surely held: another one was later on. */
const keptOut = (history: History): Answered<"refused"> => {
  const { errorMs } = history.circumstances.clock;
  const all = answered(history, "refused", ({ answer }) => answer.leasedUntil !== undefined);
  return must(
    all.find(
      ({ key, sentAt, answeredAt, answer: { leasedUntil } }) =>
        answered(history, "leased").some(
          (lease) => lease.answer.until === leasedUntil && lease.answeredAt + 2 * errorMs < sentAt,
        ) &&
        all.some(
          (later) =>
            later.key === key && later.answer.leasedUntil === leasedUntil && later.sentAt > answeredAt + 2 * errorMs,
        ),
    ),
    "start that a lease kept out, and another one after it",
  );
};

const cameBack = (history: History): Call =>
  firstAnswered(history, "started", ({ leaseId, answer }) => leaseId !== undefined && !answer.resumed);

const returned = (history: History): Answered<"returned"> =>
  firstAnswered(history, "returned", ({ answer }) => answer.success);

export const plantsOfTrust: Plant[] = [
  {
    name: "a process that is alone is told that it is a copy",
    rule: "false-alarm",
    plant(history) {
      const call: Call = provenBeat(history, (beat) => !isCopied(history, beat));
      call.answer = { is: "ended", reason: "cloned", endedAt: 0 };
    },
  },
  {
    name: "a restarted process is taken for a copy",
    rule: "false-alarm",
    plant(history) {
      const told = must(history.calls.find(isTold), "copy that was told");
      history.copies = history.copies.filter(({ sessionId }) => sessionId !== told.sessionId);
    },
  },
  {
    name: "a session is told to be a copy before there was one",
    rule: "false-alarm",
    plant(history) {
      const told = must(history.calls.find(isTold), "copy that was told");
      for (const copy of history.copies) if (copy.sessionId === told.sessionId) copy.from = endOf(history);
    },
  },
  {
    name: "a session that was replaced stands in the history as a copy",
    rule: "false-alarm",
    plant(history) {
      const rows = history.rows.history.filter((row) => row.reason === "replaced" && !isCopied(history, row));
      must(rows[0], "session that was replaced").reason = "cloned";
    },
  },
  {
    name: "a copy is ended though nobody answered a challenge",
    rule: "unproven-copy",
    plant(history) {
      const row = must(
        history.rows.history.find(({ reason }) => reason === "cloned"),
        "session that ended as a copy",
      );
      for (const { proof } of callsOf(history, row.sessionId)) if (proof) proof.answers = false;
    },
  },
  {
    name: "two processes take turns, and neither is told",
    rule: "untold-copy",
    plant(history) {
      const told = displaced(history);
      told.answer = { is: "live", generation: generationOf(history, told.sessionId) };
    },
  },
  {
    name: "a twin beats with the number of the other one, and neither is told",
    rule: "untold-copy",
    plant(history) {
      const beat = provenBeat(history);
      rightAfter(history, beat, { proof: { ...beat.proof, beatId: "of a twin" } });
    },
  },
  {
    name: "a beat without proof keeps a session with proof alive",
    rule: "lived-unproven",
    plant(history) {
      const call: Call = firstAnswered(history, "proof-required", ({ operation }) => operation === "heartbeat");
      call.answer = { is: "live", generation: generationOf(history, call.sessionId) };
    },
  },
  {
    name: "a lease of a session with proof is given without",
    rule: "lived-unproven",
    plant(history) {
      const call: Call = firstAnswered(history, "proof-required", ({ operation }) => operation === "lease");
      call.answer = { ...firstAnswered(history, "leased").answer, leaseId: "given without" };
    },
  },
  {
    name: "a process that proves is told of the copy as a revocation when it asks for a lease",
    rule: "wrong-words",
    plant(history) {
      const told = must(
        history.calls.find((call) => isTold(call) && call.operation === "lease"),
        "copy that was told",
      );
      Object.assign(told.answer, { asRevoked: true });
    },
  },
  {
    name: "a lease with proof is no sign of life",
    rule: "lost-heartbeat",
    plant(history) {
      const given = must(answered(history, "leased", ({ proof }) => proof !== undefined)[0], "lease with proof");
      const row = must(
        history.rows.history.find(({ sessionId }) => sessionId === given.sessionId),
        "row of its session",
      );
      row.lastHeartbeat -= 1_000;
      for (const call of callsOf(history, given.sessionId)) {
        if (call.operation === "heartbeat" && call.answer.is === "live" && call.sentAt > given.sentAt - 1_000) {
          call.answer = { is: "unknown", why: "503" };
        }
      }
    },
  },
  {
    name: "a client that knows of no proof is told of a copy as such",
    rule: "wrong-words",
    plant(history) {
      delete firstAnswered(history, "ended", ({ answer }) => answer.asRevoked === true).answer.asRevoked;
    },
  },
  {
    name: "a process that proves is told of the copy as a revocation",
    rule: "wrong-words",
    plant(history) {
      const told = must(
        history.calls.find((call) => isTold(call) && call.operation === "heartbeat"),
        "copy that was told",
      );
      Object.assign(told.answer, { asRevoked: true });
    },
  },
  {
    name: "a process that runs alone is challenged again and again, whatever it answers",
    rule: "endless-challenge",
    plant(history) {
      const beat = provenBeat(history);
      const from = endOf(history) + 60_000;
      const proof = { ...beat.proof, number: beat.proof.number + 1000, beatId: "challenged for ever" };
      for (let tries = 0; tries < 5; tries++) {
        const sentAt = from + 10 * tries;
        const answer = { is: "challenged" as const, challenge: "again" };
        history.calls.push({
          ...beat,
          sentAt,
          answeredAt: sentAt + 5,
          proof: { ...proof, answers: tries > 0 },
          answer,
        });
      }
    },
  },
  {
    name: "another device starts while a lease holds",
    rule: "started-beside-lease",
    plant(history) {
      const call: Call = keptOut(history);
      const startedAt = Math.floor((call.sentAt + call.answeredAt) / 2 + history.circumstances.clock.offsetMs);
      call.answer = { is: "started", generation: 1, resumed: false, previous: null, startedAt };
    },
  },
  {
    name: "a session gets a second lease beside its first",
    rule: "second-lease",
    plant(history) {
      askedAgain(history).answer.leaseId = "quite another";
    },
  },
  {
    name: "a lease lasts longer when it is asked for again",
    rule: "moved-lease",
    plant(history) {
      askedAgain(history).answer.until += 1000;
    },
  },
  {
    name: "a session is given the lease of another one",
    rule: "shared-lease",
    plant(history) {
      const call = firstAnswered(history, "leased");
      const other = must(
        history.calls.find(
          ({ key, sessionId }) => key === call.key && sessionId !== "" && sessionId !== call.sessionId,
        ),
        "another session of that key",
      );
      rightAfter(history, call, { sessionId: other.sessionId });
    },
  },
  {
    name: "a lease that was given back keeps others out",
    rule: "kept-out",
    plant(history) {
      const back = firstAnswered(
        history,
        "returned",
        ({ answer, key }) =>
          answer.success &&
          !answered(history, "unknown").some((call) => call.key === key && call.operation === "lease"),
      );
      const answer = {
        is: "refused" as const,
        code: "key_in_use",
        holderGeneration: generationOf(history, back.sessionId),
        leasedUntil: 0,
      };
      rightAfter(history, back, { operation: "start", sessionId: "someone-quite-else", leaseId: undefined, answer });
    },
  },
  {
    name: "a device is kept out by its own lease",
    rule: "refused-own-lease",
    plant(history) {
      const call = cameBack(history);
      call.answer = { is: "refused", code: "key_in_use", leasedUntil: 0 };
    },
  },
  {
    name: "a lease is given back twice",
    rule: "returned-twice",
    plant(history) {
      afterAll(history, returned(history), {});
    },
  },
  {
    name: "a lease is lost before it is given back",
    rule: "lost-lease",
    plant(history) {
      returned(history).answer.success = false;
    },
  },
];
