/** What holds of sessions with proof. */
import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "../../../../src/errors.ts";
import type { Proof } from "../../../../src/sessions/device/contract.ts";
import { beatSession, startSession } from "../../../../src/sessions/device/index.ts";
import { beatWithProof, endCopy } from "../../../../src/sessions/device/sql.ts";
import { newProofWord } from "../../../support/secrets.ts";
import { tryLease } from "./leases.ts";
import { type Held, newId, type Probe, type Subject } from "./probes.ts";

/** Live, why not, or the code of a refusal. */
interface Told {
  is: string;
  challenge?: string;
}

/** A process that beats with proof. */
function run(on: Subject, session: string, instance = newProofWord()) {
  let number = 0;
  const next = (): Proof => ({ instance, number: number++, beat_id: newProofWord() });
  const send = (proof: Proof) => tell(async () => beatProven(on, session, proof));
  const sendStart = (key: string, proof: Proof) =>
    tell(async () => {
      const request = { access_key: key, session_id: session, on_conflict: "replace" as const, proof };
      return (await startSession(on.next(), request)).resumed ? "resumed" : "started";
    });
  const sendLease = (proof?: Proof): Promise<Told> => tryLease(on.next(), session, 600, proof);
  const prove = async (ask: (proof: Proof) => Promise<Told>, proof: Proof) => {
    const told = await ask(proof);
    return told.challenge === undefined ? told.is : (await ask({ ...proof, answer: told.challenge })).is;
  };
  return {
    instance,
    next,
    send,
    sendStart,
    sendLease,
    lease: () => prove(sendLease, next()),
    beat: () => prove(send, next()),
    start: (key: string) => prove((proof) => sendStart(key, proof), next()),
  };
}

async function beatProven(on: Subject, session: string, proof: Proof): Promise<string> {
  const outcome = await beatSession(on.next(), session, proof);
  if (outcome.live) return "live";
  return outcome.ending === "unknown" ? "unknown" : outcome.ending.reason;
}

async function tell(ask: () => Promise<string>): Promise<Told> {
  try {
    return { is: await ask() };
  } catch (error) {
    if (!(error instanceof AppError) || error.code === "unavailable") throw error;
    return { is: error.code, ...(error.data as { challenge?: string }) };
  }
}

/** A session, and the process that started it. */
async function holdProven(on: Subject): Promise<Held & { first: ReturnType<typeof run> }> {
  const { key, id } = await on.db.makeKey();
  const session = newId();
  const first = run(on, session);
  on.expect("a start on a fresh key", await first.start(key), "started");
  return { key, id, session, generation: 0, first };
}

const leaseOf = async (on: Subject, { id }: Held) =>
  (await on.db.sql`SELECT session_id FROM leases WHERE key_id = ${id}`)[0]?.session_id;
const rowOf = async (on: Subject, { id }: Held) =>
  (await on.db.sql`SELECT * FROM active_sessions WHERE key_id = ${id}`)[0];
const reasonsOf = async (on: Subject, { id }: Held) => {
  const rows = await on.db.sql`SELECT reason FROM session_history WHERE key_id = ${id} ORDER BY generation`;
  return [...rows].map((row) => row.reason);
};

/** A beat that is challenged, and whether an answer will do. */
async function challenge(on: Subject, held: Held) {
  const proof = run(on, held.session).next();
  const told = await run(on, held.session).send(proof);
  on.expect("a new instance", told.is, "proof_challenge");
  const answer = told.challenge as string;
  const takes = async (answered: Partial<Proof>) =>
    (await run(on, held.session).send({ ...proof, answer, ...answered })).is;
  return { proof, answer, takes };
}

/** Of a session that is in use twice: sends the beat that proves it, once its challenge is there. */
async function answeredCopy(
  on: Subject,
  held: Awaited<ReturnType<typeof holdProven>>,
  send = held.first.send,
): Promise<() => Promise<Told>> {
  await run(on, held.session).beat();
  const proof = held.first.next();
  const { challenge: answer } = await send(proof);
  return () => send({ ...proof, ...(answer !== undefined && { answer }) });
}

export const PROBES_OF_PROOF: Probe[] = [
  {
    guarantee: "a beat with proof keeps a session live for the timeout, and the same one again is none",
    async check(on) {
      const held = await holdProven(on);
      const lost = held.first.next();
      await on.db.age(held.id, 59);
      const proof = held.first.next();
      on.expect("after 59 s, with a gap", (await held.first.send(proof)).is, "live");
      await on.db.age(held.id, 50);
      on.expect("sent again", (await held.first.send(proof)).is, "live");
      on.expect("the start sent again", (await held.first.sendStart(held.key, proof)).is, "resumed");
      on.expect("the one before", (await held.first.send(lost)).is, "proof_challenge");
      await on.db.age(held.id, 11);
      on.expect("sent again after 61 s", (await held.first.send(proof)).is, "expired");
      const [late, other] = [await holdProven(on), await holdProven(on)];
      for (const { id } of [late, other]) await on.db.age(id, 61);
      on.expect("after 61 s", await late.first.beat(), "expired");
      on.expect("of a new one after 61 s", await run(on, other.session).beat(), "expired");
    },
  },
  {
    guarantee: "whoever is not known to run is challenged, by heartbeat and start, and that changes nothing",
    async check(on) {
      const held = await holdProven(on);
      const before = await rowOf(on, held);
      const other = run(on, held.session);
      on.expect("heartbeat", (await other.send(other.next())).is, "proof_challenge");
      on.expect("start", (await other.sendStart(held.key, other.next())).is, "proof_challenge");
      on.expect("the row", await rowOf(on, held), before);
      await on.db.age(held.id, 30);
      on.expect("with the answer", await other.start(held.key), "resumed");
      await on.db.age(held.id, 40);
      on.expect("it was a heartbeat", await other.beat(), "live");
      const third = run(on, held.session);
      on.expect("by heartbeat", await third.beat(), "live");
      const row = await rowOf(on, held);
      on.expect("displaced", row?.proof_displaced, `{${other.instance},${held.first.instance}}`);
      on.expect("current", row?.proof_instance, third.instance);
      for (let n = 0; n < 8; n++) await run(on, held.session).beat();
      const [kept] = await on.db.sql`
        SELECT cardinality(proof_displaced) AS n FROM active_sessions WHERE key_id = ${held.id}`;
      on.expect("how many are kept", kept?.n, 8);
    },
  },
  {
    guarantee: "a challenge is good for the very beat, of that session, for a minute, until another beat is accepted",
    async check(on) {
      const [held, elsewhere] = [await holdProven(on), await holdProven(on)];
      const { proof, answer, takes } = await challenge(on, held);
      on.expect("for another beat", await takes({ beat_id: newProofWord() }), "proof_challenge");
      on.expect("for another number", await takes({ number: 7 }), "proof_challenge");
      on.expect("for another instance", await takes({ instance: newProofWord() }), "proof_challenge");
      on.expect(
        "for another session",
        (await run(on, elsewhere.session).send({ ...proof, answer })).is,
        "proof_challenge",
      );
      await on.db.sql`UPDATE active_sessions SET proof_beat = h.proof_beat, proof_instance = h.proof_instance
                      FROM (SELECT * FROM active_sessions WHERE key_id = ${held.id}) h
                      WHERE active_sessions.key_id = ${elsewhere.id}`;
      on.expect(
        "for another session with the same last beat",
        (await run(on, elsewhere.session).send({ ...proof, answer })).is,
        "proof_challenge",
      );
      on.expect("made up", await takes({ answer: answer.replace(/.{8}$/, "01234567") }), "proof_challenge");
      const made = async (secondsAgo: number) => {
        const [row] = await on.db.sql`
          SELECT challenge_of(challenge_salt(clock_timestamp() - make_interval(secs => ${secondsAgo})), s,
                              ${proof.instance}, ${proof.number}, ${proof.beat_id}) AS made
          FROM active_sessions s WHERE s.key_id = ${held.id}`;
        return { answer: row?.made as string };
      };
      on.expect("after 62 s", await takes(await made(62)), "proof_challenge");
      on.expect("of a clock ahead", await takes(await made(-20)), "proof_challenge");
      on.expect("after another beat", [await held.first.beat(), await takes({})], ["live", "proof_challenge"]);
      const plain = await on.hold();
      const before = await challenge(on, plain);
      on.expect(
        "after a plain beat",
        [await on.beat(plain.session), await before.takes({})],
        ["live", "proof_challenge"],
      );
      on.expect("at once", await (await challenge(on, plain)).takes({}), "live");
      const late = await challenge(on, held);
      on.expect("within a minute", await late.takes({}), "live");
    },
  },
  {
    guarantee: "challenges of another installation are worth nothing",
    async check(on) {
      const held = await holdProven(on);
      const { takes } = await challenge(on, held);
      await on.db.sql`UPDATE trust_state SET challenge_secret = sha256(challenge_secret)`;
      on.expect("its answer", await takes({}), "proof_challenge");
    },
  },
  {
    guarantee: "a session with proof is kept alive by nobody without",
    async check(on) {
      const held = await holdProven(on);
      const before = await rowOf(on, held);
      const refused = await tell(() => on.beat(held.session));
      on.expect("heartbeat", refused.is, "proof_required");
      on.expect("start", (await on.start(held.key, { session_id: held.session })).is, "proof_required");
      on.expect("the row", await rowOf(on, held), before);
      const plain = await on.hold();
      on.expect("a session without", await on.beat(plain.session), "live");
      on.expect("and its start", (await on.start(plain.key, { session_id: plain.session })).is, "resumed");
    },
  },
  {
    guarantee: "a copy ends the session for both, once, recorded and audited",
    async check(on) {
      for (const by of ["heartbeat", "start", "number"] as const) {
        const held = await holdProven(on);
        const old = held.first.next();
        const second = by === "number" ? held.first : run(on, held.session);
        on.expect("the second one", await second.beat(), "live");
        let told: string;
        if (by === "heartbeat") told = await held.first.beat();
        else if (by === "start") told = await held.first.start(held.key);
        else {
          const { challenge: answer } = await held.first.send(old);
          told = (await held.first.send({ ...old, ...(answer && { answer }) })).is;
        }
        on.expect(`who is told by ${by}`, told, by === "start" ? "session_cloned" : "cloned");
        on.expect("the other one", await second.beat(), "cloned");
        on.expect("the row", await rowOf(on, held), undefined);
        on.expect("the history", await reasonsOf(on, held), ["cloned"]);
        const log = await on.db
          .sql`SELECT who, action FROM audit_log WHERE key_id = ${held.id} ORDER BY id DESC LIMIT 1`;
        on.expect("the audit log", [...log], [{ who: "service", action: "session_cloned" }]);
        on.expect("a start with its id", await second.start(held.key), "session_id_used");
      }
    },
  },
  {
    guarantee: "a lease of a session with proof is given to an accepted beat alone, which is a heartbeat, once",
    async check(on) {
      const held = await holdProven(on);
      const before = await rowOf(on, held);
      const other = run(on, held.session);
      on.expect("without", (await other.sendLease()).is, "proof_required");
      on.expect("not known to run", (await other.sendLease(other.next())).is, "proof_challenge");
      on.expect("the row", await rowOf(on, held), before);
      on.expect("the lease", await leaseOf(on, held), undefined);
      const proof = held.first.next();
      await on.db.age(held.id, 50);
      on.expect("the next beat", (await held.first.sendLease(proof)).is, "leased");
      await on.db.age(held.id, 50);
      on.expect("sent again", (await held.first.sendLease(proof)).is, "leased");
      await on.db.age(held.id, 11);
      on.expect("after 61 s", (await held.first.sendLease(proof)).is, "expired");
      const late = await holdProven(on);
      await on.db.sql`UPDATE keys SET expires_at = clock_timestamp() WHERE id = ${late.id}`;
      const unheard = await rowOf(on, late);
      on.expect("of an expired key", await late.first.lease(), "lease_unavailable");
      on.expect("its row", await rowOf(on, late), unheard);
      const resumed = await holdProven(on);
      const next = run(on, resumed.session);
      on.expect("with the answer", await next.lease(), "leased");
      const row = await rowOf(on, resumed);
      on.expect(
        "displaced",
        [row?.proof_instance, row?.proof_displaced],
        [next.instance, `{${resumed.first.instance}}`],
      );
    },
  },
  {
    guarantee: "a copy gets no lease: its request ends the session for both, and one ending is kept",
    async check(on) {
      const [held, ended] = [await holdProven(on), await holdProven(on)];
      const second = run(on, held.session);
      on.expect("the second one", await second.beat(), "live");
      on.expect("the copy", await held.first.lease(), "cloned");
      on.expect("the other one", await second.beat(), "cloned");
      on.expect("the lease", await leaseOf(on, held), undefined);
      on.expect("the history", await reasonsOf(on, held), ["cloned"]);
      const copy = await answeredCopy(on, ended, (proof) => ended.first.sendLease(proof));
      const [end, { is: told }] = await Promise.all([on.end(ended.session), copy()]);
      on.expect("who lost to an end", told, end ? "ended" : "cloned");
      on.expect("the history", await reasonsOf(on, ended), [end ? "ended" : "cloned"]);
    },
  },
  {
    guarantee: "a copy is ended only by what proves it when its row is locked",
    async check(on) {
      const held = await holdProven(on);
      await run(on, held.session).beat();
      const { database } = on.next();
      const proof = held.first.next();
      on.expect("without an answer", await endCopy(database, held.session, proof), false);
      const { challenge: answer } = await held.first.send(proof);
      await on.db.age(held.id, 61);
      on.expect(
        "of a silent one",
        await endCopy(database, held.session, { ...proof, ...(answer && { answer }) }),
        false,
      );
      on.expect("it has expired", (await held.first.send(proof)).is, "expired");
      on.expect("the history", await reasonsOf(on, held), ["expired"]);

      const other = await holdProven(on);
      await run(on, other.session).beat();
      const late = other.first.next();
      const { challenge: asked } = await other.first.send(late);
      const copied = await on.db.sql.begin(async (tx) => {
        await tx`SELECT end_session(${other.session})`;
        const waits = endCopy(database, other.session, { ...late, ...(asked && { answer: asked }) });
        await sleep(80);
        return [waits] as const;
      });
      on.expect("of one whose end was under way", await copied[0], false);
      on.expect("its history", await reasonsOf(on, other), ["ended"]);
    },
  },
  {
    guarantee: "a takeover leaves nothing of the proofs before",
    async check(on) {
      const held = await holdProven(on);
      await run(on, held.session).beat();
      const session = newId();
      const third = run(on, session);
      on.expect("with proof", await third.start(held.key), "started");
      const row = await rowOf(on, held);
      on.expect("its row", [row?.proof_instance, row?.proof_displaced], [third.instance, null]);
      on.expect("it goes on", await third.beat(), "live");
      const plain = newId();
      on.expect("without", (await on.start(held.key, { session_id: plain })).is, "started");
      on.expect("it goes on", await on.beat(plain), "live");
    },
  },
  {
    guarantee: "G7 a new current instance is durable before anybody hears of it, a mere beat need not be",
    async check(on) {
      const held = await holdProven(on);
      const { proof, answer } = await challenge(on, held);
      const commit = (beat: Proof) =>
        on.db.sql.begin(async (tx) => {
          await tx`SELECT beat_with_proof(${held.session}, ${beat.instance}, ${String(beat.number)}, ${beat.beat_id},
                                          ${beat.answer ?? ""})`;
          return (await tx`SELECT current_setting('synchronous_commit') AS now`)[0]?.now;
        });
      on.expect("a new instance", await commit({ ...proof, answer }), "on");
      on.expect("a mere beat", await commit({ ...proof, number: 1, beat_id: newProofWord() }), "off");
    },
  },
  {
    guarantee: "one session with proof that is held up holds up nobody else's heartbeat",
    async check(on) {
      const [held, free] = [await holdProven(on), await holdProven(on)];
      const release = await on.db.holdRow("active_sessions", held.id);
      const both = [held, free].map(({ session, first }) => ({ sessionId: session, proof: first.next() }));
      const row = await Promise.race([beatWithProof(on.next().database, both), sleep(800, undefined)]);
      await release();
      on.expect("who was beaten", row?.beaten?.split(" ")[0], free.session);
    },
  },
  {
    guarantee: "copies that race with each other, with an end or with a takeover leave one ending and no proof behind",
    async check(on) {
      for (let round = 0; round < 4; round++) {
        const [both, ended, taken] = [await holdProven(on), await holdProven(on), await holdProven(on)];
        const second = run(on, both.session);
        const untilOver = async (process: ReturnType<typeof run>) => {
          for (let beats = 0; beats < 40; beats++) {
            // Two that beat in step without a pause void each other's challenges for ever.
            await sleep(Math.random() * 30);
            const told = await process.beat();
            if (told !== "live" && told !== "proof_challenge") return told;
          }
          return "live";
        };
        on.expect("both", await Promise.all([untilOver(both.first), untilOver(second)]), ["cloned", "cloned"]);
        on.expect("the history", await reasonsOf(on, both), ["cloned"]);

        const copy = await answeredCopy(on, ended);
        const [end, { is: told }] = await Promise.all([on.end(ended.session), copy()]);
        on.expect("who lost to an end", told, end ? "ended" : "cloned");
        on.expect("the history", await reasonsOf(on, ended), [end ? "ended" : "cloned"]);

        const late = await answeredCopy(on, taken);
        const successor = newId();
        const [took, { is: lost }] = await Promise.all([on.start(taken.key, { session_id: successor }), late()]);
        on.expect("the takeover", took.is, "started");
        on.expect("who lost to it", lost, took.reply?.previous_session_terminated ? "replaced" : "cloned");
        on.expect("the successor", await on.beat(successor), "live");
        on.expect("the history", await reasonsOf(on, taken), [lost]);
      }
    },
  },
];
