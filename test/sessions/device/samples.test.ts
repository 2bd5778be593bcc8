/** What the metrics say of proof, signatures, leases and sign-outs: each number by what was done to make it. */
import { expect, it } from "vitest";
import { createSeed, readSigningKeys, type SigningKey } from "../../../src/trust/signing-keys.ts";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { readValue, scrape } from "../../support/metrics.ts";
import { newSessionId } from "../../support/secrets.ts";
import { openProver } from "./support/prover.ts";

const db = useDatabase();
const seed = createSeed();
const [signingKey] = readSigningKeys(seed) as [SigningKey];
const app = useApp(db, { env: { SIGNING_KEY: seed, OFFLINE_HOURS_MAX: "24" } });
const NONCE = { "Keybeat-Nonce": "a-nonce-of-the-tests" };

const start = async (more: object = {}) => {
  const { key, id } = await db.makeKey();
  const session_id = newSessionId();
  const { body } = await app.post("/api/session/start", { access_key: key, session_id, ...more });
  return { key, id, session_id, generation: body.generation as number };
};

it("copies, refused proofs, sign-outs, leases, suspicions and keys that sign are counted", async () => {
  // One copy: two processes that both run. Each is challenged once.
  const { key } = await db.makeKey();
  const session_id = newSessionId();
  const [first, second] = [openProver(app, session_id), openProver(app, session_id)];
  expect((await first.start(key)).status).toBe(200);
  expect((await second.beat()).status).toBe(200);
  expect((await first.beat()).body.code).toBe("session_cloned");
  // One beat without the proof that its session needs, a start, and a request for a lease.
  const proven = await start({ proof: openProver(app, newSessionId()).next() });
  const bare = { session_id: proven.session_id };
  expect((await app.post("/api/session/heartbeat", bare)).body.code).toBe("proof_required");
  const again = await app.post("/api/session/start", { access_key: proven.key, ...bare });
  expect(again.body.code).toBe("proof_required");
  expect((await app.post("/api/session/lease", { ...bare, hours: 1 })).body.code).toBe("proof_required");
  // Two sign-outs, of which one finds nobody.
  const owned = await start();
  const signOut = { access_key: owned.key, expected_generation: owned.generation };
  expect((await app.post("/api/session/sign-out", signOut)).body.success).toBe(true);
  expect((await app.post("/api/session/sign-out", signOut)).body.success).toBe(false);
  // Two leases, of which one is given back.
  for (const givenBack of [false, true]) {
    const { session_id } = await start();
    const { body } = await app.post("/api/session/lease", { session_id, hours: 1 });
    if (givenBack) expect((await app.post("/api/session/lease/return", body)).body.success).toBe(true);
  }
  // Three suspicions: of a live session, of one that has proof by now, and of one that is over.
  for (const { id, generation } of [await start(), proven, owned]) {
    await db.sql`
      INSERT INTO suspected_copies (key_id, generation, times_asked, seen_at) VALUES (${id}, ${generation}, 2, now())`;
  }
  // Three signed requests, of which one trusts no key of ours.
  for (const trusts of [signingKey.id, `0000000000000000,${signingKey.id}`, "0000000000000000"]) {
    await app.post("/api/session/heartbeat", bare, { ...NONCE, "Keybeat-Trusts": trusts });
  }

  const samples = await scrape(app.url);
  const value = (name: string, labels = {}) => readValue(samples, `keybeat_${name}`, labels);
  expect({
    copies: value("session_copies_total"),
    challenged: value("proof_refusals_total", { code: "proof_challenge" }),
    withoutProof: value("proof_refusals_total", { code: "proof_required" }),
    signOuts: value("owner_sign_outs_total"),
    leases: value("leases"),
    suspected: value("sessions_that_may_be_copied"),
    signed: value("signing_requests_total", { key: signingKey.id }),
    untrusted: value("signing_requests_total", { key: "none" }),
  }).toEqual({
    copies: 1,
    challenged: 2,
    withoutProof: 6,
    signOuts: 1,
    leases: 1,
    suspected: 1,
    signed: 2,
    untrusted: 1,
  });
});
