import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { eraseKey, revokeKey } from "../../../src/keys/index.ts";
import { findSessions, kickSession } from "../../../src/sessions/device/index.ts";
import { readPopulation } from "../../../src/sessions/device/samples.ts";
import { readLease, writeLease } from "../../../src/trust/lease-token.ts";
import { createSeed, readSigningKeys, type SigningKey } from "../../../src/trust/signing-keys.ts";
import { ADMIN_TOKEN, type TestApp, useApp } from "../../support/app.ts";
import { jumpClock, tick } from "../../support/clock.ts";
import { useDatabase } from "../../support/database.ts";
import { readValue, scrape } from "../../support/metrics.ts";
import { BY, kickByPrefix } from "../../support/operator.ts";
import { newSessionId } from "../../support/secrets.ts";
import { openProver } from "./support/prover.ts";

const db = useDatabase();
const [oldSeed, newSeed] = [createSeed(), createSeed()];
const app = useApp(db, { adminToken: ADMIN_TOKEN, env: { SIGNING_KEY: oldSeed, OFFLINE_HOURS_MAX: "24" } });
const rotated = useApp(db, { env: { SIGNING_KEY: `${newSeed} ${oldSeed}`, OFFLINE_HOURS_MAX: "24" } });
const retired = useApp(db, { env: { SIGNING_KEY: newSeed } });
const unsigned = useApp(db, { env: { OFFLINE_HOURS_MAX: "24" } });
const plain = useApp(db);
const [newKey, oldKey] = readSigningKeys(`${newSeed} ${oldSeed}`) as [SigningKey, SigningKey];

const start = (access_key: string, more: object = {}, by: TestApp = app) =>
  by.post("/api/session/start", { access_key, session_id: newSessionId(), device: { name: "Laptop" }, ...more });
const ask = (session_id: string, hours = 1, { by = app, trusts }: { by?: TestApp; trusts?: string } = {}) =>
  by.post("/api/session/lease", { session_id, hours }, trusts ? { "Keybeat-Trusts": trusts } : {});
const giveBack = async (lease: string, by = app) => (await by.post("/api/session/lease/return", { lease })).body;
const status = async (access_key: string) => (await app.post("/api/session/status", { access_key })).body;
const beat = async (session_id: string) => (await app.post("/api/session/heartbeat", { session_id })).body;
const rows = (keyId: number) => db.sql`SELECT * FROM leases WHERE key_id = ${keyId}`;
const cleanUp = async () => {
  const { status } = await app.post("/api/admin/cleanup-sessions", {}, { Authorization: `Bearer ${ADMIN_TOKEN}` });
  expect(status).toBe(200);
};
const leaseEndsIn = (keyId: number, seconds: number) => db.sql`
  UPDATE leases SET until = clock_timestamp() + make_interval(secs => ${seconds}),
                    issued_at = least(issued_at, clock_timestamp() + make_interval(secs => ${seconds - 3600}))
  WHERE key_id = ${keyId}`;

/** A key whose device has a lease, and has fallen silent. */
async function leased(hours = 1) {
  const { key, id } = await db.makeKey();
  const { session_id, generation } = (await start(key)).body;
  const { lease, until } = (await ask(session_id, hours)).body;
  await db.age(id, 61);
  return { key, id, session_id, generation, lease: lease as string, until: until as string };
}

describe("POST /api/session/lease", () => {
  it("gives a live session a signed lease, and the same one when asked again, whatever is asked for", async () => {
    const { key, id } = await db.makeKey();
    const { session_id, generation } = (await start(key)).body;
    const first = await ask(session_id, 2);
    expect(first.status).toBe(200);
    const { lease, until, issued_at, server_time } = first.body;
    expect(Date.parse(until) - Date.parse(issued_at)).toBe(2 * 3_600_000);
    expect(issued_at).toBe(server_time);
    const claims = { key: `${key.slice(0, 8)}…`, generation, device: { name: "Laptop" }, issued_at, until };
    expect(readLease([oldKey], lease)).toEqual({ ...claims, lease_id: (await rows(id))[0]?.lease_id });
    for (const hours of [2, 1, 24]) {
      expect((await ask(session_id, hours)).body).toMatchObject({ lease, until, issued_at });
    }
    expect(await rows(id)).toHaveLength(1);
  });

  it("is the same lease after the key that signs was rotated, by whichever key the client trusts", async () => {
    const { session_id } = (await start((await db.makeKey()).key)).body;
    const { lease } = (await ask(session_id)).body;
    const trusting = (trusts: string) => ask(session_id, 1, { by: rotated, trusts });
    expect((await trusting(oldKey.id)).body.lease).toBe(lease);
    const { lease_id } = readLease([oldKey], lease) ?? {};
    const anew = (await trusting(newKey.id)).body.lease;
    expect(readLease([newKey], anew)).toMatchObject({ lease_id });
    expect((await trusting("0123456789abcdef")).body).toMatchObject({ code: "lease_unavailable" });
  });

  it("is no heartbeat: the session expires by silence as ever", async () => {
    const { key, id } = await db.makeKey();
    const { session_id } = (await start(key)).body;
    await db.age(id, 59);
    expect((await ask(session_id)).status).toBe(200);
    await db.age(id, 2);
    expect((await beat(session_id)).code).toBe("session_expired");
    expect(await status(key)).toMatchObject({ active: false, leased_until: expect.any(String) });
  });

  it("ends with the key at the latest", async () => {
    const { key, id } = await db.makeKey();
    const { session_id } = (await start(key)).body;
    await db.sql`UPDATE keys SET expires_at = date_trunc('milliseconds', clock_timestamp()) + interval '10 minutes' WHERE id = ${id}`;
    const [{ expires_at }] = (await db.sql`SELECT expires_at FROM keys WHERE id = ${id}`) as unknown as [
      { expires_at: Date },
    ];
    expect((await ask(session_id)).body.until).toBe(new Date(expires_at).toISOString());
    await db.sql`UPDATE keys SET expires_at = clock_timestamp() WHERE id = ${id}`;
    await db.sql`DELETE FROM leases WHERE key_id = ${id}`;
    expect((await ask(session_id)).body).toMatchObject({ code: "lease_unavailable" });
  });

  it("is refused for longer than may be, where it is off, and where nothing signs it", async () => {
    const { key, id } = await db.makeKey();
    const { session_id } = (await start(key)).body;
    const refused = (hours_max: number) => ({ status: 409, body: { code: "lease_unavailable", hours_max } });
    expect(await ask(session_id, 24.01)).toMatchObject(refused(24));
    expect(await ask(session_id, 1, { by: plain })).toMatchObject(refused(0));
    expect(await ask(session_id, 1, { by: unsigned })).toMatchObject(refused(0));
    expect(await rows(id)).toEqual([]);
    expect((await ask(session_id, 24)).status).toBe(200);
    expect(unsigned.log.join()).toContain("SIGNING_KEY");
  });

  it("is refused to a session that is over or unknown, as its heartbeat is", async () => {
    const { key } = await db.makeKey();
    const { session_id } = (await start(key)).body;
    await start(key, { device: { name: "Phone" } });
    expect(await ask(session_id)).toMatchObject({
      status: 410,
      body: { code: "session_replaced", replaced_by: { device: { name: "Phone" } } },
    });
    expect(await ask(newSessionId())).toMatchObject({ status: 404, body: { code: "session_not_found" } });
  });
});

describe("a lease of a session with proof", () => {
  const askWith = (session_id: string, proof: object) =>
    app.post("/api/session/lease", { session_id, hours: 1, proof });
  const sessionOf = async (keyId: number) => (await db.sql`SELECT * FROM active_sessions WHERE key_id = ${keyId}`)[0];

  /** A key, and the process that has started a session on it. */
  async function startProven() {
    const { key, id } = await db.makeKey();
    const session = newSessionId();
    const first = openProver(app, session);
    expect((await first.start(key)).status).toBe(200);
    return { key, id, session, first };
  }

  it("is refused to who has the session's id alone, and that changes nothing", async () => {
    const { id, session } = await startProven();
    const before = await sessionOf(id);
    for (const proof of [undefined, null]) {
      const { status, body } = await app.post("/api/session/lease", { session_id: session, hours: 1, proof });
      expect([status, body.code]).toEqual([409, "proof_required"]);
    }
    expect([await sessionOf(id), await rows(id)]).toEqual([before, []]);
  });

  it("is given to the next beat of its process, which is a heartbeat; sent again it is the same lease and no heartbeat", async () => {
    const { id, session, first } = await startProven();
    await db.age(id, 50);
    const proof = first.next();
    const given = await askWith(session, proof);
    expect(given).toMatchObject({ status: 200, body: { lease: expect.any(String) } });
    await db.age(id, 50);
    const { lease, until, issued_at } = given.body;
    expect((await askWith(session, proof)).body).toMatchObject({ lease, until, issued_at });
    await db.age(id, 11);
    expect((await askWith(session, proof)).body.code).toBe("session_expired");
  });

  it("is given to an answer to the challenge alone, by whoever is not known to run", async () => {
    const { id, session, first } = await startProven();
    const other = openProver(app, session);
    const proof = other.next();
    const before = await sessionOf(id);
    const { status, body } = await askWith(session, proof);
    expect([status, body.code]).toEqual([409, "proof_challenge"]);
    const wrong = await askWith(session, { ...proof, answer: "x".repeat(body.challenge.length) });
    expect(wrong.body.code).toBe("proof_challenge");
    expect([await sessionOf(id), await rows(id)]).toEqual([before, []]);
    expect((await askWith(session, { ...proof, answer: body.challenge })).status).toBe(200);
    expect(await sessionOf(id)).toMatchObject({
      proof_instance: other.instance,
      proof_displaced: `{${first.instance}}`,
    });
  });

  it("is given to no copy: its request ends the session for both as cloned", async () => {
    const { id, session, first } = await startProven();
    const second = openProver(app, session);
    expect((await second.beat()).status).toBe(200);
    const before = readValue(await scrape(app.url), "keybeat_session_copies_total");
    expect(await first.lease(1)).toMatchObject({
      status: 410,
      body: { code: "session_cloned", ended_at: expect.any(String) },
    });
    expect(await rows(id)).toEqual([]);
    expect(readValue(await scrape(app.url), "keybeat_session_copies_total")).toBe((before ?? 0) + 1);
    expect((await second.beat()).body.code).toBe("session_cloned");
    expect((await second.lease(1)).body.code).toBe("session_cloned");
    expect((await ask(session)).body.code).toBe("session_revoked");
    const endings = await db.sql`SELECT reason FROM session_history WHERE key_id = ${id}`;
    expect([...endings]).toEqual([{ reason: "cloned" }]);
  });

  it("is challenged where the session has none, which has some from the answer on", async () => {
    const { key, id } = await db.makeKey();
    const { session_id } = (await start(key)).body;
    const process = openProver(app, session_id);
    expect((await askWith(session_id, process.next())).body.code).toBe("proof_challenge");
    expect(await rows(id)).toEqual([]);
    expect((await process.lease(1)).status).toBe(200);
    expect((await beat(session_id)).code).toBe("proof_required");
  });

  it("that is not to be had is no heartbeat and asks for no proof", async () => {
    const { id, session, first } = await startProven();
    await db.sql`UPDATE keys SET expires_at = clock_timestamp() WHERE id = ${id}`;
    const before = await sessionOf(id);
    for (const reply of [await first.lease(1), await ask(session), await first.lease(25)]) {
      expect(reply.body.code).toBe("lease_unavailable");
    }
    expect(await sessionOf(id)).toEqual(before);
  });
});

describe("a start of a leased key", () => {
  it("is refused to everybody else, replace too, with the device and until when", async () => {
    const { key, generation, until } = await leased();
    for (const on_conflict of ["replace", "refuse"]) {
      expect(await start(key, { on_conflict })).toMatchObject({
        status: 409,
        body: { code: "key_in_use", leased_until: until, holder: { generation, device: { name: "Laptop" } } },
      });
    }
  });

  it("is refused to everybody else while the session is live, which itself is resumed by its id and keeps the lease", async () => {
    const { key, id } = await db.makeKey();
    const { session_id, generation } = (await start(key)).body;
    const { lease, until } = (await ask(session_id)).body;
    expect((await start(key, { expected_generation: generation })).body).toMatchObject({ leased_until: until });
    expect((await start(key, { session_id })).body).toMatchObject({ resumed: true, generation });
    expect((await start(key, { session_id, lease })).body).toMatchObject({ resumed: true, generation });
    expect(await status(key)).toMatchObject({ active: true, leased_until: until });
    expect(await rows(id)).toHaveLength(1);
  });

  it("with the lease is a new session of a new generation, and the lease is over", async () => {
    const { key, id, session_id, generation, lease } = await leased();
    const back = await start(key, { lease, on_conflict: "refuse" });
    expect(back).toMatchObject({ status: 200, body: { resumed: false, previous_session: null } });
    expect(back.body.session_id).not.toBe(session_id);
    expect(back.body.generation).toBeGreaterThan(generation);
    expect(await rows(id)).toEqual([]);
    expect(await status(key)).not.toHaveProperty("leased_until");
    expect((await start(key)).status).toBe(200);
    expect((await start(key, { lease, on_conflict: "refuse" })).body).toMatchObject({ code: "key_in_use" });
  });

  it("with the lease and the id of the session that ended is told so, and the lease stays", async () => {
    const { key, id, session_id, lease } = await leased();
    expect((await start(key, { session_id, lease })).body).toMatchObject({ code: "session_id_used" });
    expect(await rows(id)).toHaveLength(1);
  });

  it("is refused until the lease's last second, and free after it, cleanup or not", async () => {
    const { key, id, lease } = await leased();
    await leaseEndsIn(id, 1.5);
    expect((await start(key)).body).toMatchObject({ code: "key_in_use" });
    await leaseEndsIn(id, -0.001);
    expect(await status(key)).toEqual({ active: false });
    expect(await giveBack(lease)).toEqual({ success: false });
    expect((await start(key)).status).toBe(200);
    expect(await rows(id)).toEqual([]);
  });

  it("takes the lease of another key, a forged one and what is none for no lease", async () => {
    const { key, lease } = await leased();
    const other = await leased();
    const claims = readLease([oldKey], lease);
    if (claims === undefined) throw new Error("not ours");
    const [foreign] = readSigningKeys(createSeed()) as [SigningKey];
    const guessed = writeLease(foreign, { ...claims, lease_id: randomUUID() });
    for (const wrong of [other.lease, guessed, "", "x", lease.slice(0, -2), `${lease}.${lease}`]) {
      expect((await start(key, { lease: wrong })).body).toMatchObject({ code: "key_in_use" });
    }
    expect((await start(key, { lease })).status).toBe(200);
    // On a free key it does no harm, and no good.
    expect((await start((await db.makeKey()).key, { lease: other.lease })).status).toBe(200);
    expect(await rows(other.id)).toHaveLength(1);
  });

  it("takes a lease whose signing key has been retired, and one given before leases were turned off", async () => {
    for (const by of [retired, plain]) {
      const { key, lease } = await leased();
      expect((await start(key, {}, by)).body).toMatchObject({ code: "key_in_use" });
      expect((await start(key, { lease }, by)).status).toBe(200);
    }
  });

  it("by the version before is refused, too", async () => {
    const { key } = await leased();
    const hash = db.hashKey(key);
    const [row] = await db.sql`
      SELECT outcome FROM start_session(${hash}::bytea, 'abc…', ${newSessionId()}, NULL, false, NULL, 600)`;
    expect(row?.outcome).toBe("key_in_use");
  });
});

describe("what ends a lease", () => {
  it("is to give it back, once", async () => {
    const { key, lease } = await leased();
    const { lease: stays } = await leased();
    expect(await giveBack(lease)).toEqual({ success: true });
    expect(await giveBack(lease)).toEqual({ success: false });
    expect(await giveBack("no lease at all")).toEqual({ success: false });
    expect((await start(key)).status).toBe(200);
    expect(await giveBack(stays)).toEqual({ success: true });
  });

  it("is neither the session's end nor its owner's sign-out", async () => {
    for (const end of ["end", "sign-out"]) {
      const { key } = await db.makeKey();
      const { session_id, generation } = (await start(key)).body;
      await ask(session_id);
      const body = end === "end" ? { session_id } : { access_key: key, expected_generation: generation };
      expect((await app.post(`/api/session/${end}`, body)).body).toEqual({ success: true });
      expect((await start(key)).body).toMatchObject({ code: "key_in_use" });
    }
  });

  it("is an operator's kick, of a live session and of one that is offline, and the audit log says so", async () => {
    const live = await db.makeKey();
    const { session_id } = (await start(live.key)).body;
    await ask(session_id);
    const offline = await leased();
    for (const { key, id, isLive } of [
      { ...live, isLive: true },
      { ...offline, isLive: false },
    ]) {
      const kick = { keyId: id, generation: null, note: null };
      const nothing = { sessionEnded: false, leaseFreed: false };
      expect(await kickSession(db.database, { ...kick, generation: 1 }, BY)).toEqual(nothing);
      expect((await start(key)).status).toBe(409);
      expect(await kickSession(db.database, kick, BY)).toEqual({ sessionEnded: isLive, leaseFreed: true });
      expect(await kickSession(db.database, kick, BY)).toEqual(nothing);
      const entries =
        await db.sql`SELECT action, details FROM audit_log WHERE key_id = ${id} AND action <> 'key_created'`;
      expect(entries).toEqual([
        isLive
          ? { action: "session_kicked", details: { reason: null, lease_freed: true } }
          : { action: "lease_freed", details: { reason: null } },
      ]);
      expect((await start(key)).status).toBe(200);
    }
  });

  it("is a revocation, after which the lease starts nothing; and an erasure, which leaves nothing of it", async () => {
    const revoked = await leased();
    await revokeKey(db.database, { id: revoked.id, note: null }, BY);
    expect(await rows(revoked.id)).toEqual([]);
    expect((await start(revoked.key, { lease: revoked.lease })).body).toMatchObject({ code: "key_revoked" });
    expect(await status(revoked.key)).toEqual({ active: false });
    const erased = await leased();
    await eraseKey(db.database, erased.id, BY);
    expect(await rows(erased.id)).toEqual([]);
  });

  it("is no cleanup before its time, and then the cleanup takes the row", async () => {
    const [over, holds] = [await leased(), await leased()];
    await leaseEndsIn(over.id, -1);
    await db.sql`UPDATE service_state SET confirmed_at = clock_timestamp(), last_tick = clock_timestamp()`;
    await cleanUp();
    expect(await rows(over.id)).toEqual([]);
    expect(await rows(holds.id)).toHaveLength(1);
  });
});

describe("of a lease operators", () => {
  const headers = { Authorization: `Bearer ${ADMIN_TOKEN}` };
  const readKey = async (id: number) => (await app.get(`/api/admin/keys/${id}`, headers)).body;

  it("see until when it holds the key, and end it by the id of the session that took it", async () => {
    const { key, id, session_id, until } = await leased();
    expect(await readKey(id)).toMatchObject({ live: null, leased_until: until });
    const gauge = (await readPopulation(db.database)).find(
      (sample) => "name" in sample && sample.name === "keybeat_leases",
    );
    const [{ n }] =
      (await db.sql`SELECT count(*)::int AS n FROM leases WHERE until > clock_timestamp()`) as unknown as [
        { n: number },
      ];
    expect(gauge).toMatchObject({ values: [{ labels: {}, value: n }] });
    expect(await kickByPrefix(db.database, session_id.slice(0, 12))).toBe("kicked");
    expect(await kickByPrefix(db.database, session_id.slice(0, 12))).toBe("unknown");
    expect(await readKey(id)).toMatchObject({ leased_until: null });
    expect((await start(key)).status).toBe(200);
  });

  it("find the one session of a device that is live and has one", async () => {
    const { session_id } = (await start((await db.makeKey()).key)).body;
    await ask(session_id);
    expect(await findSessions(db.database, session_id)).toHaveLength(1);
  });
});

describe("a lease and the database's clock", () => {
  it("holds for its own length at most when the clock was ahead and is put right", async () => {
    const { key, id, lease } = await leased(1);
    await tick(db);
    // The clock goes back by a year: what was given just now was given in a year.
    await jumpClock(db, -365 * 86_400);
    expect((await start(key)).body).toMatchObject({ code: "key_in_use" });
    await tick(db, -365 * 86_400);
    const [{ left }] = (await db.sql`
      SELECT extract(epoch FROM until - clock_timestamp())::float AS left FROM leases WHERE key_id = ${id}`) as unknown as [
      { left: number },
    ];
    expect(left).toBeGreaterThan(3500);
    expect(left).toBeLessThanOrEqual(3600);
    expect((await start(key, { lease })).status).toBe(200);
  });

  it("is deleted by no cleanup while the clock runs ahead", async () => {
    const { key, id } = await leased(1);
    await tick(db);
    await db.sql`UPDATE service_state SET confirmed_at = clock_timestamp()`;
    await jumpClock(db, 365 * 86_400);
    await tick(db, 365 * 86_400);
    await cleanUp();
    expect(await rows(id)).toHaveLength(1);
    await jumpClock(db, -365 * 86_400);
    await tick(db, -365 * 86_400);
    expect((await start(key)).body).toMatchObject({ code: "key_in_use" });
  });
});
