/** Beyond the conformance table: what concerns this language, or browsers. In virtual time. */
import { inspect } from "node:util";
import { afterEach, describe, expect, it, vi } from "vitest";
import { KeybeatError, type SessionIdStorage, type StartOptions } from "../../src/client/index.ts";
import { newSessionId } from "../../src/client/platform.ts";
import { memoryStorage, virtualApp } from "./support/virtual-app.ts";

afterEach(() => vi.unstubAllGlobals());

describe("a session's handle", () => {
  it("shows its session id only to who asks for it by name", async () => {
    const session = await virtualApp().start();
    expect(session.sessionId).toMatch(/^[\w-]{16,128}$/);
    const printed = [inspect(session, { depth: 9, getters: true }), JSON.stringify(session), String(session)];
    expect(printed.join()).not.toContain(session.sessionId);
    expect(Object.keys({ ...session })).not.toContain("sessionId");
    expect(JSON.parse(JSON.stringify(session))).toMatchObject({ generation: 1, state: "live" });
  });

  it("fires its signal with the reason when it is lost, and has a new one when it comes back", async () => {
    const app = virtualApp({ server: [{ to: "heartbeat", when: { session: "A" }, reply: "expired" }] });
    const session = await app.start();
    const first = session.signal;
    const heard: unknown[] = [];
    session.on("lost", (event) => heard.push(event.reason, first.aborted, session.signal === first, session.state));
    session.on("live", (event) => heard.push(event.recovered, session.signal.aborted, session.lost));
    await app.time.runUntil(30_000);
    expect(heard).toEqual(["expired", true, true, "lost", true, false, null]);
    expect(first.aborted).toBe(true);
    expect(first.reason).toBeInstanceOf(KeybeatError);
    expect(first.reason.code).toBe("expired");
    expect([session.generation, app.server.nameOf(session.sessionId)]).toEqual([2, "B"]);
  });

  it("fires its signal on end, without an event", async () => {
    const app = virtualApp();
    const session = await app.start();
    await app.settled(session.end());
    expect([session.state, session.lost, session.signal.reason.code]).toEqual(["ended", null, "ended"]);
    expect(app.events.map(({ type }) => type)).toEqual(["live"]);
  });

  it("is given back once, however often end is called", async () => {
    const app = virtualApp();
    const session = await app.start();
    await app.settled(Promise.all([session.end(), session.end(), session[Symbol.asyncDispose]()]));
    await session.end();
    expect(app.asked()).toEqual(["0 start A", "0 end A"]);
  });

  it("stays ended when the app ends it on hearing that it is lost", async () => {
    const kept: string[] = [];
    const storage = { ...memoryStorage(), set: (sessionId: string) => kept.push(sessionId) };
    const app = virtualApp({ server: [{ to: "heartbeat", reply: "expired" }] }, { storage });
    const session = await app.start();
    session.on("lost", () => void session.end());
    await app.time.runUntil(120_000);
    expect(app.asked()).toEqual(["0 start A", "27000 heartbeat A", "27000 end A"]);
    expect(session.state).toBe("ended");
    expect(kept).toEqual([session.sessionId]);
  });

  it("tells a listener nothing more once it is taken off", async () => {
    const app = virtualApp({ server: [{ to: "heartbeat", every: 2, fail: "reset" }] });
    const session = await app.start();
    let degraded = 0;
    const off = session.on("degraded", () => {
      degraded++;
      off();
    });
    await app.time.runUntil(200_000);
    expect(degraded).toBe(1);
    expect(app.events.filter(({ type }) => type === "degraded").length).toBeGreaterThan(1);
  });

  it("lets no listener that throws stop its heartbeats, and reports what it threw", async () => {
    const reported: unknown[] = [];
    vi.stubGlobal("queueMicrotask", (task: () => void) => {
      try {
        task();
      } catch (error) {
        reported.push(error);
      }
    });
    const app = virtualApp({ server: [{ to: "heartbeat", times: 1, fail: "reset" }] });
    const session = await app.start();
    const mistake = new Error("the app's mistake");
    const heard: string[] = [];
    session.on("degraded", () => {
      throw mistake;
    });
    session.on("degraded", () => heard.push("degraded"));
    session.on("recovered", () => heard.push("recovered"));
    await app.time.runUntil(100_000);
    expect(reported).toEqual([mistake]);
    expect(heard).toEqual(["degraded", "recovered"]);
  });
});

describe("a start", () => {
  it("asks nobody's permission without the function to ask with", async () => {
    const app = virtualApp({}, { onConflict: "ask" } as unknown as Partial<StartOptions>);
    await expect(app.start()).rejects.toThrow(TypeError);
    expect(app.server.requests).toEqual([]);
  });

  it("passes on what the function that asks throws, and holds nothing", async () => {
    const ask = () => {
      throw new Error("the window was closed");
    };
    const app = virtualApp({ server: [{ to: "start", reply: "key_in_use" }] }, { onConflict: "ask", ask });
    await expect(app.start()).rejects.toThrow("the window was closed");
    await app.time.runUntil(100_000);
    expect(app.asked()).toEqual(["0 start A"]);
  });

  it("throws an error that carries the code and the holder", async () => {
    const app = virtualApp({ server: [{ to: "start", reply: "key_in_use" }] }, { onConflict: "refuse" });
    const error = await app.start().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(KeybeatError);
    expect(error).toMatchObject({
      name: "KeybeatError",
      code: "key_in_use",
      message: "Another device is using this access key",
      data: { holder: { generation: 7, device: { name: "Laptop" } } },
    });
  });

  it("works with a storage that throws, rejects, or gives back rubbish", async () => {
    const bad: SessionIdStorage[] = [
      {
        get() {
          throw new Error("no storage in private windows");
        },
        set: () => Promise.reject(new Error("full")),
        remove: () => Promise.reject(new Error("gone")),
      },
      { get: () => "not a session id, at all", set: () => {}, remove: () => {} },
    ];
    for (const storage of bad) {
      const app = virtualApp({}, { storage });
      const session = await app.start();
      expect(session.sessionId).toMatch(/^[\w-]{16,128}$/);
      await app.settled(session.end());
    }
  });

  it("keeps the id where no end was acknowledged, and forgets it where one was", async () => {
    for (const [server, kept] of [
      [[], false],
      [[{ to: "end" as const, fail: "refused" as const }], true],
    ] as const) {
      const storage = memoryStorage();
      const app = virtualApp({ server: [...server] }, { storage });
      const session = await app.start();
      expect(storage.get()).toBe(session.sessionId);
      await app.settled(session.end(), 5_000);
      expect(storage.get() !== undefined).toBe(kept);
    }
  });

  it("forgets the id of a start that was refused", async () => {
    const storage = memoryStorage();
    const app = virtualApp({ server: [{ to: "start", reply: "invalid_key" }] }, { storage });
    await expect(app.start()).rejects.toMatchObject({ code: "invalid_key" });
    expect(storage.get()).toBeUndefined();
  });

  it("makes up ids of 128 random bits, with and without the platform's crypto in sight", () => {
    const ids = [newSessionId(), newSessionId()];
    vi.stubGlobal("crypto", undefined);
    ids.push(newSessionId(), newSessionId());
    expect(new Set(ids).size).toBe(4);
    for (const id of ids) expect(id.replaceAll("-", "")).toMatch(/^[0-9a-f]{32}$/);
  });
});

describe("a platform that does not do as it should", () => {
  it("a fetch that does not heed its signal holds up neither the next heartbeat nor the deadline", async () => {
    const app = virtualApp();
    const { fetch } = app.server;
    app.options.fetch = (url, init) => (url.endsWith("/heartbeat") ? new Promise(() => {}) : fetch(url, init));
    const session = await app.start();
    await app.time.runUntil(70_000);
    expect(app.events.map((event) => (event.type === "lost" ? event.reason : event.type))).toEqual([
      "live",
      "degraded",
      "unreachable",
    ]);
    expect(session.signal.aborted).toBe(true);
  });

  it("a fetch that answers after it was given up revives nothing", async () => {
    const app = virtualApp({
      server: [{ to: "heartbeat", delay: 1_000 }],
      stream: [{ at: 27_500, event: "replaced", reply: "replaced" }],
    });
    const { fetch } = app.server;
    app.options.fetch = (url, init) => fetch(url, url.endsWith("/heartbeat") ? { ...init, signal: undefined } : init);
    const session = await app.start();
    await app.time.runUntil(100_000);
    expect(app.events.map(({ type }) => type)).toEqual(["live", "lost"]);
    expect([session.state, session.lost?.reason]).toEqual(["lost", "replaced"]);
  });

  it("a hidden tab, whose timers fire once a minute, keeps its session by the stream's comments", async () => {
    const app = virtualApp();
    const { setTimeout, clearTimeout } = app.time.timers;
    const aligned = (ms: number) => Math.ceil((app.time.now + ms) / 60_000) * 60_000 - app.time.now;
    app.options.timers = { setTimeout: (run, ms) => setTimeout(run, aligned(ms)), clearTimeout };
    await app.start();
    await app.time.runUntil(600_000);
    expect(app.events.map(({ type }) => type)).toEqual(["live"]);
    const beats = app.server.requests.filter(({ request }) => request === "heartbeat").length;
    expect(beats).toBeGreaterThanOrEqual(19);
    expect(beats).toBeLessThanOrEqual(23);
    expect(app.server.requests.filter(({ request }) => request === "watch")).toHaveLength(1);
  });
});
