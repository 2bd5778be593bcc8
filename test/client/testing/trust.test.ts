/** The client's proof, public key and leases against the fake server of keybeat/testing, as an app's own tests use them. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Session, type StartOptions, startSession } from "../../../src/client/index.ts";
import { type FakeServer, startFakeServer } from "../../../src/client/testing/index.ts";
import { nextEvent } from "../support/next-event.ts";
import { memoryStorage } from "../support/virtual-app.ts";

const KEY = "an-access-key";

let server: FakeServer;
const opened: Session[] = [];

beforeEach(async () => {
  server = await startFakeServer({ timeoutSeconds: 3, heartbeatSeconds: 0.4, offlineHoursMax: 8 });
});

afterEach(async () => {
  server.online();
  await Promise.all(opened.splice(0).map((session) => session.end()));
  await server.close();
});

async function start(more: Partial<StartOptions> = {}) {
  const { url, publicKey } = server;
  const session = await startSession({ url, publicKey, accessKey: KEY, random: () => 0, ...more } as StartOptions);
  opened.push(session);
  return session;
}

const count = (path: string) => server.requests.filter((request) => request.path.endsWith(path)).length;
const beats = (more: number) => {
  const until = count("/heartbeat") + more;
  return expect.poll(() => count("/heartbeat"), { timeout: 20_000 }).toBeGreaterThanOrEqual(until);
};

describe("an app with a public key", () => {
  it("lives, and learns of a takeover by the stream", async () => {
    const session = await start();
    await beats(2);
    expect(session.state).toBe("live");
    const lost = nextEvent(session, "lost");
    server.takeOver(KEY, { name: "B" });
    expect(await lost).toMatchObject({ reason: "replaced", by: { device: { name: "B" } } });
  });

  it("reads refusals, also those that it is told to get", async () => {
    server.fail({ status: 403, body: { error: "no", code: "key_expired", request_id: "r-1" }, times: 1 });
    await expect(start()).rejects.toMatchObject({ code: "key_expired" });
    server.revoke(KEY);
    await expect(start()).rejects.toMatchObject({ code: "key_revoked" });
  });

  it("believes no fake: it is neither live nor lost by one, and lives on when that is over", async () => {
    const session = await start();
    const degraded = nextEvent(session, "degraded");
    server.forge();
    await degraded;
    expect(session.signal.aborted).toBe(false);
    const recovered = nextEvent(session, "recovered");
    server.online();
    await recovered;
    const other = await startFakeServer();
    const started = start({ url: other.url, startTimeoutMs: 500 });
    await expect(started).rejects.toMatchObject({ code: "unreachable" });
    await other.close();
  });

  it("whose nonce is none is told so", async () => {
    const headers = { "Content-Type": "application/json", "Keybeat-Nonce": "bad" };
    const reply = await fetch(`${server.url}/api/session/status`, { method: "POST", headers, body: "{}" });
    const { code, error } = (await reply.json()) as { code: string; error: string };
    expect([reply.status, code, error]).toEqual([
      400,
      "invalid_request",
      "Invalid request: Keybeat-Nonce must be 16 to 128 characters of A-Z a-z 0-9 _ -",
    ]);
  });
});

describe("an app with proof", () => {
  it("lives, and is lost as cloned when its session is in use twice", async () => {
    for (const publicKey of [server.publicKey, undefined]) {
      const session = await start({ proof: true, ...(publicKey ? {} : { publicKey: undefined as never }) });
      await beats(2);
      expect(session.state).toBe("live");
      const lost = nextEvent(session, "lost");
      server.clone(KEY);
      expect(await lost).toMatchObject({ reason: "cloned", final: true, code: "session_cloned" });
    }
  });

  it("is told of a real second process with its session, as that is", async () => {
    const first = await start({ proof: true, storage: memoryStorage() });
    const lost = nextEvent(first, "lost");
    const second = await start({ proof: true, storage: { ...memoryStorage(), get: () => first.sessionId } });
    const lostToo = nextEvent(second, "lost");
    for (const event of await Promise.all([lost, lostToo])) expect(event).toMatchObject({ reason: "cloned" });
  });

  it("alone can be cloned", async () => {
    expect(() => server.clone(KEY)).toThrow("a copy is noticed only of a live session");
    await start();
    expect(() => server.clone(KEY)).toThrow("that was started with proof");
  });
});

describe("an app with a lease", () => {
  it("works on offline, also after a restart, while nobody else can start, and comes back", async () => {
    const storage = memoryStorage();
    let isDead = false;
    const reach: typeof fetch = (...request) => (isDead ? Promise.reject(new TypeError("dead")) : fetch(...request));
    const session = await start({ storage, fetch: reach });
    const { until } = await session.lease(8);
    const offline = nextEvent(session, "offline");
    server.offline();
    expect(await offline).toMatchObject({ until });
    isDead = true;
    const again = await start({ storage: { ...memoryStorage(), get: () => storage.get() }, requestTimeoutMs: 300 });
    expect(again.state).toBe("offline");
    expect(() => server.takeOver(KEY)).toThrow("leased_until");
    const live = nextEvent(again, "live");
    server.online();
    await live;
    expect(again.generation).toBeGreaterThan(session.generation);
    server.takeOver(KEY);
  });

  it("and proof gets it by proof, which whoever has only its session id has not", async () => {
    const session = await start({ proof: true, storage: memoryStorage() });
    const body = JSON.stringify({ session_id: session.sessionId, hours: 1 });
    const headers = { "Content-Type": "application/json" };
    const reply = await fetch(`${server.url}/api/session/lease`, { method: "POST", headers, body });
    expect([reply.status, ((await reply.json()) as { code: string }).code]).toEqual([409, "proof_required"]);
    await session.lease(1);
    await beats(2);
    expect(session.state).toBe("live");
  });

  it("gives it back, loses it to a kick, and gets none for longer than there is", async () => {
    const session = await start({ storage: memoryStorage() });
    await expect(session.lease(9)).rejects.toMatchObject({ code: "lease_unavailable", data: { hours_max: 8 } });
    await session.lease(1);
    expect(await session.returnLease()).toBe(true);
    await session.lease(1);
    server.kick(KEY);
    server.takeOver(KEY);
  });
});
