/** A copied session is noticed, and nothing else is taken for one. The protocol at large is told in stories: proof-model. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Proof } from "../../../src/sessions/device/contract.ts";
import { ADMIN_TOKEN, useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { readValue, scrape } from "../../support/metrics.ts";
import { newSessionId } from "../../support/secrets.ts";
import { watchStream } from "../../support/watch.ts";
import { openProver } from "./support/prover.ts";

const db = useDatabase();
const app = useApp(db);

const beat = (session_id: string, proof?: Proof | null) => app.post("/api/session/heartbeat", { session_id, proof });
const start = (access_key: string, session_id: string, proof?: Proof) =>
  app.post("/api/session/start", { access_key, session_id, proof });
const rowOf = async (id: number) => (await db.sql`SELECT * FROM active_sessions WHERE key_id = ${id}`)[0];
const historyOf = (id: number) => db.sql`SELECT * FROM session_history WHERE key_id = ${id} ORDER BY generation`;

/** A key, and the process that has started a session on it. */
async function startProven() {
  const { key, id } = await db.makeKey();
  const session = newSessionId();
  const first = openProver(app, session);
  const { status, body } = await first.start(key);
  expect([status, body.resumed]).toEqual([200, false]);
  return { key, id, session, first, generation: body.generation as number };
}

/** The same, in use by two processes: the second has displaced the first, which does not know of it yet. */
async function copyProven() {
  const held = await startProven();
  const second = openProver(app, held.session);
  expect((await second.beat()).status).toBe(200);
  return { ...held, second };
}

describe("a beat with proof", () => {
  it("of the process that started the session keeps it live, whatever got lost between", async () => {
    const { id, session, first, generation } = await startProven();
    await db.age(id, 40);
    const { status, body } = await beat(session, first.next());
    expect(status).toBe(200);
    expect(body).toMatchObject({ success: true, generation, expires_in: 60 });
    first.next(); // is lost
    expect((await beat(session, first.next())).status).toBe(200);
    expect((await rowOf(id))?.last_heartbeat.getTime()).toBeGreaterThan(Date.parse(body.server_time));
  });

  it("sent again gets the same answer by the clock of now, is no second heartbeat, and promises no more than is left", async () => {
    const { id, session, first } = await startProven();
    const proof = first.next();
    const before = (await beat(session, proof)).body;
    await db.age(id, 40);
    const { status, body } = await beat(session, proof);
    expect([status, body.generation]).toEqual([200, before.generation]);
    expect(Date.parse(body.expires_at)).toBe(Date.parse(before.expires_at) - 40_000);
    expect(body.expires_in).toBeCloseTo((Date.parse(body.expires_at) - Date.parse(body.server_time)) / 1000, 2);
    expect(body.expires_in).toBeLessThanOrEqual(20);
    expect(body.heartbeat_in).toBe(0.1);
    await db.age(id, 21);
    expect((await beat(session, proof)).body.code).toBe("session_expired");
  });

  it("sent again a little later is due when it would have been", async () => {
    const { id, session, first } = await startProven();
    const proof = first.next();
    await beat(session, proof);
    await db.age(id, 10);
    const { body } = await beat(session, proof);
    expect(body.heartbeat_in).toBeGreaterThan(14);
    expect(body.heartbeat_in).toBeLessThanOrEqual(20);
  });

  it("of another process is challenged, which changes nothing, and keeps the session live once it has answered", async () => {
    const { id, session, first } = await startProven();
    const before = await rowOf(id);
    const other = openProver(app, session).next();
    const { status, body } = await beat(session, other);
    expect([status, body.code]).toEqual([409, "proof_challenge"]);
    expect(await rowOf(id)).toEqual(before);
    expect((await beat(session, { ...other, answer: body.challenge })).status).toBe(200);
    expect(await rowOf(id)).toMatchObject({ proof_instance: other.instance, proof_displaced: `{${first.instance}}` });
  });

  it("is refused without proof on a session that has some, by heartbeat and start, and that keeps nothing alive", async () => {
    const { key, id, session } = await startProven();
    const before = await rowOf(id);
    for (const reply of [await beat(session), await beat(session, null), await start(key, session)]) {
      expect([reply.status, reply.body.code]).toEqual([409, "proof_required"]);
    }
    expect(await rowOf(id)).toEqual(before);
  });

  it("is challenged on a session that has none, which goes on without until it is answered", async () => {
    const { key, id } = await db.makeKey();
    const session = newSessionId();
    await start(key, session);
    const prover = openProver(app, session);
    const proof = prover.next();
    const { body } = await beat(session, proof);
    expect(body.code).toBe("proof_challenge");
    expect((await beat(session)).status).toBe(200);
    // A plain beat is a beat, too: nobody knows whether who was challenged before it still runs.
    expect((await beat(session, { ...proof, answer: body.challenge })).body.code).toBe("proof_challenge");
    expect((await prover.beat()).status).toBe(200);
    expect(await rowOf(id)).toMatchObject({ proof_instance: prover.instance, proof_displaced: null });
    expect((await beat(session)).body.code).toBe("proof_required");
  });

  it("gets 404 and 410 as any other", async () => {
    const { id, session, first, key } = await startProven();
    expect((await beat(newSessionId(), first.next())).body.code).toBe("session_not_found");
    await start(key, newSessionId());
    expect((await beat(session, first.next())).body.code).toBe("session_replaced");
    const late = await startProven();
    await db.age(late.id, 61);
    expect((await beat(late.session, late.first.next())).body.code).toBe("session_expired");
    expect(await rowOf(id)).toMatchObject({ proof_instance: null, proof_number: null, proof_beat: null });
  });

  it("of one session never travels with another of it, and all of many at once are answered from their own row", async () => {
    const { session, first } = await startProven();
    const many = await Promise.all(Array.from({ length: 20 }, startProven));
    const proofs = Array.from({ length: 6 }, () => first.next());
    const own = proofs.map((proof) => beat(session, proof));
    const others = many.map((held) => held.first.beat());
    // In the order in which they came: each follows from the one before.
    expect((await Promise.all(own)).map((reply) => reply.status)).toEqual(proofs.map(() => 200));
    expect((await Promise.all(others)).map((reply) => reply.body.generation)).toEqual(
      many.map((held) => held.generation),
    );
  });
});

describe("a challenge", () => {
  const challenged = async () => {
    const held = await startProven();
    const proof = openProver(app, held.session).next();
    const { body } = await beat(held.session, proof);
    return { ...held, proof, challenge: body.challenge as string };
  };
  const answered = async (session: string, proof: Proof) => (await beat(session, proof)).body.code ?? "live";

  it("is another one each time, and any of a minute will do", async () => {
    const { session, proof, challenge } = await challenged();
    const { body } = await beat(session, proof);
    expect(body.challenge).not.toBe(challenge);
    expect(await answered(session, { ...proof, answer: challenge })).toBe("live");
  });

  it("is good for the very beat that got it only", async () => {
    const { session, proof, challenge } = await challenged();
    for (const other of [
      { ...proof, beat_id: openProver(app, session).next().beat_id },
      { ...proof, number: proof.number + 1 },
      { ...proof, instance: openProver(app, session).instance },
    ]) {
      expect(await answered(session, { ...other, answer: challenge })).toBe("proof_challenge");
    }
    const elsewhere = await startProven();
    expect(await answered(elsewhere.session, { ...proof, answer: challenge })).toBe("proof_challenge");
  });

  it("is void once another beat was accepted", async () => {
    const { session, first, proof, challenge } = await challenged();
    expect(await answered(session, first.next())).toBe("live");
    expect(await answered(session, { ...proof, answer: challenge })).toBe("proof_challenge");
  });

  it("is void after a minute", async () => {
    const { id, session, proof } = await challenged();
    const make = async (secondsAgo: number) => {
      const [row] = await db.sql`
        SELECT challenge_of(challenge_salt(clock_timestamp() - make_interval(secs => ${secondsAgo})), s,
                            ${proof.instance}, ${proof.number}, ${proof.beat_id}) AS made
        FROM active_sessions s WHERE s.key_id = ${id}`;
      return row?.made as string;
    };
    expect(await answered(session, { ...proof, answer: await make(61) })).toBe("proof_challenge");
    expect(await answered(session, { ...proof, answer: await make(-30) })).toBe("proof_challenge");
    expect(await answered(session, { ...proof, answer: await make(55) })).toBe("live");
  });

  it("cannot be made up or changed", async () => {
    const { session, proof, challenge } = await challenged();
    for (let at = 0; at < challenge.length; at++) {
      const digit = challenge[at] === "0" ? "1" : "0";
      const answer = challenge.slice(0, at) + digit + challenge.slice(at + 1);
      expect(await answered(session, { ...proof, answer })).toBe("proof_challenge");
    }
    for (const answer of [challenge.slice(1), challenge.toUpperCase(), `${challenge}0`, "x", "_".repeat(256)]) {
      expect(await answered(session, { ...proof, answer })).toBe("proof_challenge");
    }
    expect(await answered(session, { ...proof, answer: challenge })).toBe("live");
  });
});

describe("a copy", () => {
  it("is told within one beat of each side, by heartbeat and by stream, and the session is over for both", async () => {
    const { id, session, first, second, generation } = await copyProven();
    const watching = (query: string) =>
      watchStream(`${app.url}/api/session/watch${query}`, { Authorization: `Bearer ${session}` });
    const [proven, plain] = [await watching("?proof=true"), await watching("")];
    const { status, body } = await first.beat();
    expect([status, body.code]).toEqual([410, "session_cloned"]);
    expect((await second.beat()).body).toMatchObject({ code: "session_cloned", ended_at: body.ended_at });
    const reason = "This session's id is in use on two devices";
    expect((await beat(session)).body).toMatchObject({ code: "session_revoked", ended_at: body.ended_at, reason });
    expect(await proven.done).toMatchObject({ event: "cloned", data: { code: "session_cloned" } });
    expect(await plain.done).toMatchObject({ event: "revoked", data: { code: "session_revoked", reason } });
    expect(await rowOf(id)).toBeUndefined();
    expect((await historyOf(id)).map((row) => [row.generation, row.reason])).toEqual([[generation, "cloned"]]);
  });

  it("is counted, audited, and shown to operators", async () => {
    const before = readValue(await scrape(app.url), "keybeat_session_copies_total");
    const { id, first, generation } = await copyProven();
    await first.beat();
    expect(readValue(await scrape(app.url), "keybeat_session_copies_total")).toBe((before ?? 0) + 1);
    const entries = await db.sql`SELECT who, from_address, action, details FROM audit_log WHERE key_id = ${id}`;
    expect(entries.at(-1)).toEqual({
      who: "service",
      from_address: null,
      action: "session_cloned",
      details: { generation },
    });
    const { body } = await app.get(`/api/admin/keys/${id}/history`, { Authorization: `Bearer ${ADMIN_TOKEN}` });
    expect(body.items[0]).toMatchObject({ reason: "cloned", ended_by: "copy" });
  });

  it("is one process whose number does not rise, too: its memory is in use twice", async () => {
    const { session, first } = await startProven();
    const proof = first.next();
    expect((await first.beat()).status).toBe(200);
    const { body } = await beat(session, proof);
    expect(body.code).toBe("proof_challenge");
    expect((await beat(session, { ...proof, answer: body.challenge })).body.code).toBe("session_cloned");
  });

  it("is noticed by a start as well, and its id starts nothing any more", async () => {
    const { key, id, first, second, session } = await copyProven();
    const { status, body } = await first.start(key);
    expect([status, body.code]).toEqual([410, "session_cloned"]);
    expect((await historyOf(id)).map((row) => row.reason)).toEqual(["cloned"]);
    expect((await second.beat()).body).toMatchObject({ code: "session_cloned", ended_at: body.ended_at });
    expect((await start(key, session, second.next())).body.code).toBe("session_id_used");
    expect((await openProver(app, newSessionId()).start(key)).status).toBe(200);
  });

  it("is none where a process comes back after another: that is displaced, and never heard of again", async () => {
    const { key, session, first } = await startProven();
    for (let n = 0; n < 12; n++) {
      const next = openProver(app, session);
      expect((await next.start(key)).body).toMatchObject({ resumed: true, success: true });
      expect((await next.beat()).status).toBe(200);
    }
    // What the first one sent when it was still alive, and nobody there to answer.
    expect((await beat(session, first.next())).body.code).toBe("proof_challenge");
  });

  it("is noticed among eight displaced instances", async () => {
    const { session, first } = await startProven();
    for (let n = 0; n < 8; n++) expect((await openProver(app, session).beat()).status).toBe(200);
    expect((await first.beat()).body.code).toBe("session_cloned");
  });
});

describe("the version before", () => {
  it("is told of a copy what it knows, and may try again where it cannot send the proof", async () => {
    const { id, session, first } = await copyProven();
    const [live] = await db.sql`SELECT outcome, note FROM settle_sessions(${session}, true)`;
    expect(live).toEqual({ outcome: "live", note: null });
    const startBefore = db.sql`
      SELECT outcome FROM start_session((SELECT key_hash FROM keys WHERE id = ${id}), 'x…', ${session}, NULL, false, NULL, 0)`;
    await expect(startBefore).rejects.toMatchObject({ code: "55P03" });
    await first.beat();
    const [over] = await db.sql`SELECT outcome, note FROM settle_sessions(${session}, true)`;
    expect(over).toEqual({ outcome: "revoked", note: "This session's id is in use on two devices" });
  });
});

describe("a start with proof", () => {
  it("sent again unchanged is resumed, and no second sign of life", async () => {
    const { key, id } = await db.makeKey();
    const session = newSessionId();
    const proof = openProver(app, session).next();
    const first = (await start(key, session, proof)).body;
    await db.age(id, 30);
    const { status, body } = await start(key, session, proof);
    expect([status, body.resumed, body.generation]).toEqual([200, true, first.generation]);
    expect(Date.parse(body.expires_at)).toBe(Date.parse(first.expires_at) - 30_000);
    expect(body.expires_in).toBeLessThanOrEqual(30);
  });

  it("of another device takes over, and knows nothing of the instances before", async () => {
    const { key, id, first } = await copyProven();
    const session = newSessionId();
    const third = openProver(app, session);
    expect((await third.start(key)).body).toMatchObject({ resumed: false, previous_session_terminated: true });
    expect(await rowOf(id)).toMatchObject({ proof_instance: third.instance, proof_number: 0, proof_displaced: null });
    expect((await first.beat()).body.code).toBe("session_replaced");
    await start(key, newSessionId());
    expect(await rowOf(id)).toMatchObject({ proof_instance: null, proof_number: null, proof_beat: null });
  });

  it("that resumes is challenged as any beat, and counts as one once it has answered", async () => {
    const { key, id, session, first } = await startProven();
    await db.age(id, 40);
    const other = openProver(app, session).next();
    const { status, body } = await start(key, session, other);
    expect([status, body.code]).toEqual([409, "proof_challenge"]);
    const answered = await start(key, session, { ...other, answer: body.challenge });
    expect(answered.body).toMatchObject({ resumed: true, expires_in: 60 });
    expect((await beat(session, first.next())).body.code).toBe("proof_challenge");
  });

  it("is durable, as is a new instance by heartbeat; a mere beat need not be", async () => {
    const { id, session, first } = await startProven();
    const other = openProver(app, session).next();
    const { challenge } = (await beat(session, other)).body;
    const setting = async (proof: Proof) => {
      const [row] = await db.sql.begin(async (tx) => {
        await tx`SELECT beat_with_proof(${session}, ${proof.instance}, ${String(proof.number)}, ${proof.beat_id}, ${proof.answer ?? ""})`;
        return tx`SELECT current_setting('synchronous_commit') AS now`;
      });
      return row?.now;
    };
    expect(await setting({ ...other, answer: challenge })).toBe("on");
    expect((await rowOf(id))?.proof_instance).toBe(other.instance);
    expect(await setting({ ...other, number: 1, beat_id: first.next().beat_id })).toBe("off");
    expect((await rowOf(id))?.proof_number).toBe(1);
  });
});

describe("a proof that is none", () => {
  let held: Awaited<ReturnType<typeof startProven>>;
  beforeEach(async () => {
    held = await startProven();
  });

  it.each([
    ["no object", "proof"],
    ["empty", {}],
    ["an instance that is too short", { instance: "short" }],
    ["an instance with a comma", { instance: "a,b,c,d,e,f,g,h,i" }],
    ["an instance with a blank", { instance: "a b c d e f g h i" }],
    ["a number below zero", { number: -1 }],
    ["a number that is none", { number: 1.5 }],
    ["a number that is not exact", { number: 2 ** 53 }],
    ["a number as text", { number: "1" }],
    ["a beat's id with a NUL", { beat_id: `${"x".repeat(16)}\u0000` }],
    ["a beat's id that is too long", { beat_id: "x".repeat(129) }],
    ["an answer with a comma", { answer: "a,b" }],
    ["an answer that is empty", { answer: "" }],
    ["an answer that is too long", { answer: "x".repeat(257) }],
  ])("is refused: %s", async (_, wrong) => {
    const { key, id, session, first } = held;
    const before = await rowOf(id);
    const proof = typeof wrong === "string" || Object.keys(wrong).length === 0 ? wrong : { ...first.next(), ...wrong };
    for (const [path, body] of [
      ["heartbeat", { session_id: session, proof }],
      ["start", { session_id: session, access_key: key, proof }],
      ["lease", { session_id: session, hours: 1, proof }],
    ] as const) {
      const { status, body: refused } = await app.post(`/api/session/${path}`, body);
      expect([status, refused.code]).toEqual([400, "invalid_request"]);
    }
    expect(await rowOf(id)).toEqual(before);
  });
});
