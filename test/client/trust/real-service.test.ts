/** The client and the real service on a real PostgreSQL, over HTTP: copies, signatures, a day offline. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { type Fetch, type Session, type StartOptions, startSession } from "../../../src/client/index.ts";
import { createSeed, readSigningKeys, type SigningKey } from "../../../src/trust/signing-keys.ts";
import { ADMIN_TOKEN, useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { nextEvent } from "../support/next-event.ts";
import { memoryStorage } from "../support/virtual-app.ts";

const [newer, older, other] = [createSeed(), createSeed(), createSeed()];
const [newKey, oldKey, otherKey] = readSigningKeys(`${newer} ${older} ${other}`) as [
  SigningKey,
  SigningKey,
  SigningKey,
];

const db = useDatabase();
const app = useApp(db, {
  adminToken: ADMIN_TOKEN,
  env: { SIGNING_KEY: `${newer} ${older}`, OFFLINE_HOURS_MAX: "24", HEARTBEAT_SECONDS: "1" },
});

/** A device: its network can be cut, and it beats when told to. */
async function device(accessKey: string, more: Partial<StartOptions> = {}) {
  const network = { cut: false, beats: 0 };
  const reach: Fetch = async (url, init) => {
    if (network.cut) throw new TypeError("fetch failed");
    if (url.endsWith("/heartbeat")) network.beats++;
    return fetch(url, init);
  };
  const session = await startSession({
    url: app.url,
    accessKey,
    fetch: reach,
    random: () => 0,
    ...more,
  } as StartOptions);
  return { session, network };
}

/** Until the device has sent so many heartbeats more. */
async function beats({ network }: { network: { beats: number } }, more: number): Promise<void> {
  const until = network.beats + more;
  await expect.poll(() => network.beats, { timeout: 20_000 }).toBeGreaterThanOrEqual(until);
}

const end = (...sessions: Session[]) => Promise.all(sessions.map((session) => session.end()));

describe("proof", () => {
  it("tells both processes of one session that it was copied, and neither takes the key back", async () => {
    const { key } = await db.makeKey();
    const storage = memoryStorage();
    const a = await device(key, { proof: true, storage });
    // The copy: the same stored id on another machine. Its storage is its own from then on.
    const copied = { ...memoryStorage(), get: () => a.session.sessionId };
    const lost = nextEvent(a.session, "lost");
    const b = await device(key, { proof: true, storage: copied });
    expect(b.session.sessionId).toBe(a.session.sessionId);
    const lostToo = nextEvent(b.session, "lost");
    for (const event of await Promise.all([lost, lostToo])) {
      expect(event).toMatchObject({ reason: "cloned", final: true, code: "session_cloned" });
    }
    await sleep(1_500);
    expect((await app.post("/api/session/status", { access_key: key })).body).toEqual({ active: false });
    expect(storage.get()).toBeUndefined();
  });

  it("takes a process that was started again for no copy", async () => {
    const { key } = await db.makeKey();
    const storage = memoryStorage();
    const first = await device(key, { proof: true, storage });
    await beats(first, 2);
    const stored = storage.get();
    first.network.cut = true; // it dies
    const second = await device(key, { proof: true, storage: { ...memoryStorage(), get: () => stored } });
    expect(second.session.generation).toBe(first.session.generation);
    await beats(second, 3);
    expect(second.session.state).toBe("live");
    await end(second.session, first.session);
  });
});

describe("a public key", () => {
  it("of the service lets its client live, learn of a takeover by the stream, and give the key back", async () => {
    const { key } = await db.makeKey();
    const a = await device(key, { publicKey: newKey.publicKey, proof: true });
    await beats(a, 2);
    const lost = nextEvent(a.session, "lost");
    const b = await device(key, { publicKey: [otherKey.publicKey, oldKey.publicKey] });
    expect(await lost).toMatchObject({ reason: "replaced", final: true });
    await beats(b, 2);
    expect(b.session.state).toBe("live");
    await b.session.end();
    expect((await app.post("/api/session/status", { access_key: key })).body).toEqual({ active: false });
  });

  it("reads the service's refusals, and believes no service that has another key", async () => {
    const { key } = await db.makeKey();
    await expect(device("no-such-key", { publicKey: newKey.publicKey })).rejects.toMatchObject({ code: "invalid_key" });
    const publicKey = otherKey.publicKey;
    await expect(device(key, { publicKey, startTimeoutMs: 500 })).rejects.toMatchObject({ code: "unreachable" });
  });
});

describe("a lease", () => {
  it("carries the device through an outage and a restart, and brings it back while nobody else can start", async () => {
    const { key, id } = await db.makeKey();
    const storage = memoryStorage();
    const trusting = { publicKey: newKey.publicKey, storage };
    const first = await device(key, trusting);
    const { until } = await first.session.lease(2);
    expect(Date.parse(until) - Date.now()).toBeGreaterThan(7_100_000);
    expect(await first.session.lease(1)).toEqual({ until });
    first.network.cut = true; // it dies

    await db.age(id, 61);
    const stranger = device(key, { publicKey: newKey.publicKey });
    await expect(stranger).rejects.toMatchObject({ code: "key_in_use", data: { leased_until: until } });

    let cut = true;
    const reach: Fetch = (url, init) => (cut ? Promise.reject(new TypeError("fetch failed")) : fetch(url, init));
    const second = await device(key, { ...trusting, fetch: reach, requestTimeoutMs: 500 });
    expect([second.session.state, second.session.generation]).toEqual(["offline", first.session.generation]);
    const live = nextEvent(second.session, "live");
    cut = false;
    expect(await live).toMatchObject({ resumed: false, recovered: false });
    expect(second.session.generation).toBeGreaterThan(first.session.generation);
    await second.session.lease(1);
    expect(await second.session.returnLease()).toBe(true);
    expect(await second.session.returnLease()).toBe(false);
    await end(second.session, first.session);
  });

  it("is refused over the operator's maximum", async () => {
    const { key } = await db.makeKey();
    const { session } = await device(key, { publicKey: newKey.publicKey, storage: memoryStorage() });
    await expect(session.lease(25)).rejects.toMatchObject({ code: "lease_unavailable", data: { hours_max: 24 } });
    await expect(session.lease(Number.NaN)).rejects.toMatchObject({ code: "invalid_request" });
    await session.end();
  });
});
