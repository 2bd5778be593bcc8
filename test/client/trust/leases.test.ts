/** Leases beyond the conformance table: the last second, the storage, what is in it and what is not ours. In virtual time. */
import { describe, expect, it } from "vitest";
import type { StartOptions } from "../../../src/client/index.ts";
import { type Rule, table } from "../support/scenario.ts";
import { TestSigner } from "../support/test-signer.ts";
import { memoryStorage, virtualApp } from "../support/virtual-app.ts";

const HOUR_MS = 3_600_000;
const BEGIN = Date.UTC(2030, 0, 1);
const { first } = table.signing_keys as Record<"first", { public_key: string }>;
const DARK: Rule[] = [{ to: "*", from: 40_000, fail: "refused" }];
const signer = new TestSigner(table.signing_keys);

function leasingApp(server: Rule[] = [], more: Partial<StartOptions> = {}) {
  const storage = memoryStorage();
  const app = virtualApp(
    { server, signs_with: ["first"] },
    { accessKey: "conformance-key", publicKey: first.public_key, storage, ...more },
  );
  return { ...app, storage, types: () => app.events.map(({ type }) => type) };
}

/** Puts a lease into the storage as a process before this one left it, and starts without a network. */
async function startOffline(stored: (lease: string) => string, claims: object = {}, by = "first") {
  const app = leasingApp([{ to: "*", fail: "refused" }], { startTimeoutMs: 5_000 });
  const until = new Date(BEGIN + HOUR_MS).toISOString();
  const lease = signer.signLease(by, { lease_id: "l", key: "conforma…", generation: 7, until, ...claims });
  app.storage.set(stored(lease));
  const started = await app.settled(
    app.start().catch(({ code }) => code),
    10_000,
  );
  return typeof started === "string" ? started : [started.state, started.generation];
}

describe("a lease", () => {
  it("holds to its last second, and not a second longer", async () => {
    const app = leasingApp(DARK);
    const session = await app.start();
    await app.settled(session.lease(1));
    await app.time.runUntil(HOUR_MS - 2_100);
    expect([session.state, session.signal.aborted]).toEqual(["offline", false]);
    await app.time.runUntil(HOUR_MS + 2_000);
    expect([session.state, session.signal.aborted]).toEqual(["lost", true]);
    expect(app.events.at(-1)).toMatchObject({ reason: "expired", final: false, code: "lease_ended" });
  });

  it("holds by the service's clock, however wrong the device's is", async () => {
    for (const wrong of [-86_400_000, 86_400_000]) {
      const app = leasingApp(DARK);
      app.time.setWallClock(wrong);
      const session = await app.start();
      expect(await app.settled(session.lease(1))).toEqual({ until: "2030-01-01T01:00:00.000Z" });
      await app.time.runUntil(HOUR_MS - 2_100);
      expect(session.state).toBe("offline");
      await app.time.runUntil(HOUR_MS + 2_000);
      expect(session.state).toBe("lost");
    }
  });

  it("stops at a clock that is set back step by step, each below what is tolerated", async () => {
    const app = leasingApp(DARK);
    const session = await app.start();
    await app.settled(session.lease(1));
    await app.time.runUntil(100_000);
    for (let step = 0; step < 6; step++) {
      app.time.setWallClock(-6_000);
      await app.time.runUntil(app.time.now + 2_000);
    }
    expect(session.lost).toMatchObject({ reason: "expired", code: "clock_set_back" });
  });

  it("leaves in the storage no time that is more than a minute behind", async () => {
    const app = leasingApp(DARK);
    const session = await app.start();
    await app.settled(session.lease(1));
    for (let minute = 1; minute < 30; minute++) {
      await app.time.runUntil(minute * 60_000);
      const saved = Number(app.storage.get()?.split(" ").at(-1));
      expect(app.time.now - (saved - BEGIN)).toBeLessThanOrEqual(62_000);
    }
  });

  it("is told by an event, and the session is back under its new generation without a new signal", async () => {
    const server: Rule[] = [
      { to: "*", from: 40_000, until: 200_000, fail: "refused" },
      { to: "heartbeat", from: 200_000, times: 1, reply: "session_not_found" },
    ];
    const app = leasingApp(server);
    const session = await app.start();
    const { signal, generation } = session;
    await app.settled(session.lease(1));
    await app.time.runUntil(300_000);
    expect(app.types()).toEqual(["live", "degraded", "offline", "live"]);
    expect([session.signal === signal, signal.aborted]).toEqual([true, false]);
    expect(session.generation).toBeGreaterThan(generation);
    expect(app.storage.get()).toBe(session.sessionId);
  });

  it("asked for in an outage is unreachable, and changes nothing", async () => {
    const app = leasingApp(DARK);
    const session = await app.start();
    await app.time.runUntil(41_000);
    await expect(app.settled(session.lease(1))).rejects.toMatchObject({ code: "unreachable" });
    await expect(app.settled(session.returnLease())).resolves.toBe(false);
    expect(app.storage.get()).toBe(session.sessionId);
  });

  it("asked for with a session that is over tells how that ended", async () => {
    const app = leasingApp([{ to: "lease", reply: "replaced" }]);
    const session = await app.start();
    await expect(app.settled(session.lease(1))).rejects.toMatchObject({ name: "KeybeatError", code: "replaced" });
  });

  it("that cannot be returned stays", async () => {
    const app = leasingApp([{ to: "lease_return", fail: "reset" }, ...DARK]);
    const session = await app.start();
    await app.settled(session.lease(1));
    await expect(app.settled(session.returnLease())).rejects.toMatchObject({ code: "unreachable" });
    await app.time.runUntil(100_000);
    expect(session.state).toBe("offline");
  });

  it("serves also where the storage fails, until the process ends", async () => {
    const broken = () => {
      throw new Error("the disk is full");
    };
    const app = leasingApp(DARK, { storage: { get: broken, set: broken, remove: broken } });
    const session = await app.start();
    await app.settled(session.lease(1));
    await app.time.runUntil(100_000);
    expect(session.state).toBe("offline");
  });
});

describe("a start without a network", () => {
  const now = BEGIN;

  it("goes on by a stored lease, with its generation", async () => {
    expect(await startOffline((lease) => `0123456789abcdef ${lease} 0 ${now}`)).toEqual(["offline", 7]);
    expect(await startOffline((lease) => ` ${lease} 0 ${now}`)).toEqual(["offline", 7]);
  });

  it.each([
    ["signed by a stranger", (lease: string) => ` ${lease} 0 ${now}`, {}, "stranger"],
    ["of another access key", (lease: string) => ` ${lease} 0 ${now}`, { key: "otherkey…" }, "first"],
    ["of another version", (lease: string) => ` ${lease} 0 ${now}`, { v: 2 }, "first"],
    ["that ended just now", (lease: string) => ` ${lease} 0 ${now}`, { until: new Date(now).toISOString() }, "first"],
    ["without an end", (lease: string) => ` ${lease} 0 ${now}`, { until: "never" }, "first"],
    ["with a letter changed", (lease: string) => ` ${lease.replace(/^./, "f")} 0 ${now}`, {}, "first"],
    ["with its signature cut", (lease: string) => ` ${lease.slice(0, -1)} 0 ${now}`, {}, "first"],
    ["with a part more", (lease: string) => ` ${lease}.x 0 ${now}`, {}, "first"],
    ["seen at a later time", (lease: string) => ` ${lease} 0 ${now + 60_000}`, {}, "first"],
    ["without its times", (lease: string) => ` ${lease}`, {}, "first"],
    ["that is none", () => "x y z", {}, "first"],
  ])("is unreachable with a lease %s", async (_, stored, claims, by) => {
    expect(await startOffline(stored, claims, by)).toBe("unreachable");
  });

  it("ends the lease where the service says that the key was withdrawn", async () => {
    const app = leasingApp([{ to: "start", reply: "key_revoked" }]);
    const until = new Date(BEGIN + HOUR_MS).toISOString();
    const lease = signer.signLease("first", { lease_id: "l", key: "conforma…", generation: 7, until });
    app.storage.set(`0123456789abcdef ${lease} 0 ${now}`);
    await expect(app.start()).rejects.toMatchObject({ code: "key_revoked" });
    expect(app.storage.get()).toBeUndefined();
  });
});
