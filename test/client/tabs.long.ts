/** Tabs that share one session: real BroadcastChannels, real time, the fake server; the locks are a stand-in. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Session, SessionEvent } from "../../src/client/index.ts";
import { type SharedOptions, startSharedSession } from "../../src/client/tabs/index.ts";
import { type FakeServer, startFakeServer } from "../../src/client/testing/index.ts";
import { FakeLocks, type FakeTab, openTab } from "./support/browser.ts";
import { nextEvent } from "./support/next-event.ts";

const KEY = "an-access-key";
const TIMEOUT_MS = 2_000;

let server: FakeServer;
let locks: FakeLocks;
let tabs: FakeTab[];
let sessions: Session[];

beforeEach(async () => {
  server = await startFakeServer({ timeoutSeconds: TIMEOUT_MS / 1000, heartbeatSeconds: 0.4 });
  locks = new FakeLocks();
  tabs = [];
  sessions = [];
});

afterEach(async () => {
  vi.unstubAllGlobals();
  server.online();
  await Promise.all(sessions.map((session) => session.end()));
  for (const tab of tabs) tab.closeChannels();
  await server.close();
});

/** Opens the app in one more tab. */
async function open(more: Partial<SharedOptions> = {}): Promise<{ tab: FakeTab; session: Session }> {
  const tab = openTab(locks);
  tabs.push(tab);
  const options = { url: server.url, accessKey: KEY, random: () => 0, ...tab.options, ...more } as SharedOptions;
  const session = await startSharedSession(options);
  sessions.push(session);
  return { tab, session };
}

const count = (path: string) => server.requests.filter((request) => request.path.endsWith(path)).length;

describe("tabs that share a session", () => {
  it("have one session between them, which one of them keeps live", async () => {
    const a = await open();
    const [b, c] = await Promise.all([open(), open()]);
    for (const { session } of [b, c]) {
      expect(session.sessionId).toBe(a.session.sessionId);
      expect([session.generation, session.state]).toEqual([a.session.generation, "live"]);
    }
    const before = count("/heartbeat");
    await sleep(TIMEOUT_MS + 500);
    const beats = count("/heartbeat") - before;
    expect(beats).toBeGreaterThanOrEqual(5);
    expect(beats).toBeLessThanOrEqual(8);
    expect([count("/start"), count("/watch"), count("/end")]).toEqual([1, 1, 0]);
    for (const { session } of [a, b, c]) expect(session.state).toBe("live");
  });

  it("make one start of all that open at the same time", async () => {
    const opened = await Promise.all([open(), open(), open()]);
    expect(count("/start")).toBe(1);
    expect(new Set(opened.map(({ session }) => session.sessionId)).size).toBe(1);
  });

  it("all learn of a takeover, and none of them takes the key back", async () => {
    const a = await open();
    const b = await open();
    const lost = Promise.all([nextEvent(a.session, "lost"), nextEvent(b.session, "lost")]);
    server.takeOver(KEY, { name: "B" });
    for (const event of await lost) {
      expect(event).toMatchObject({ reason: "replaced", final: true, by: { device: { name: "B" } } });
    }
    expect([a.session.signal.aborted, b.session.signal.aborted]).toEqual([true, true]);
    const sent = server.requests.length;
    await sleep(1_000);
    expect([server.requests.length, count("/start")]).toEqual([sent, 1]);
  });

  it("go on with the same session when the leader closes, without a new start", async () => {
    const a = await open();
    const events: SessionEvent[] = [];
    const b = await open({ onEvent: (event) => void events.push(event) });
    const c = await open();
    a.tab.page.dispatch("pagehide");
    const before = count("/heartbeat");
    await sleep(TIMEOUT_MS + 500);
    expect(count("/heartbeat") - before).toBeGreaterThanOrEqual(5);
    expect([count("/start"), count("/end")]).toEqual([1, 0]);
    for (const { session } of [b, c]) {
      expect([session.state, session.generation]).toEqual(["live", a.session.generation]);
    }
    expect(events.map(({ type }) => type)).toEqual(["live"]);
    b.tab.page.dispatch("pagehide");
    await sleep(500);
    expect([c.session.state, count("/end")]).toEqual(["live", 0]);
  });

  it("give the key back when the last of them closes", async () => {
    const a = await open();
    const b = await open();
    b.tab.page.dispatch("pagehide");
    await sleep(50);
    expect(count("/end")).toBe(0);
    a.tab.page.dispatch("pagehide");
    await sleep(50);
    expect(count("/end")).toBe(1);
    expect(server.takeOver(KEY).previous_session).toBeNull();
  });

  it("are all ended by end in any of them", async () => {
    const a = await open();
    const b = await open();
    const c = await open();
    const lost = Promise.all([nextEvent(a.session, "lost"), nextEvent(c.session, "lost")]);
    await b.session.end();
    for (const event of await lost) expect(event).toMatchObject({ reason: "ended", final: true });
    expect([a.session.state, b.session.state, c.session.state]).toEqual(["lost", "ended", "lost"]);
    expect(count("/end")).toBe(1);
    const sent = server.requests.length;
    await sleep(700);
    expect(server.requests.length).toBe(sent);
  });

  it("see trouble, recovery and a return alike", async () => {
    const types: string[][] = [[], []];
    const listen = (to: string[] | undefined) => ({ onEvent: (event: SessionEvent) => void to?.push(event.type) });
    await open(listen(types[0]));
    const b = await open(listen(types[1]));
    const path = "/api/session/heartbeat";
    server.fail({ status: 503, headers: { "Retry-After": "0" }, times: 1, path });
    await nextEvent(b.session, "recovered");
    const before = b.session.generation;
    const live = nextEvent(b.session, "live");
    server.expire(KEY);
    expect((await live).recovered).toBe(true);
    expect(b.session.generation).toBeGreaterThan(before);
    expect(types[0]).toEqual(["live", "degraded", "recovered", "lost", "live"]);
    expect(types[1]).toEqual(types[0]);
    expect(count("/start")).toBe(2);
  });

  it("stop working when their leader has fallen silent, and go on when it speaks again", async () => {
    const a = await open();
    const b = await open();
    a.tab.mute(true);
    expect(await nextEvent(b.session, "lost")).toMatchObject({ reason: "unreachable", final: false });
    expect(a.session.state).toBe("live");
    const live = nextEvent(b.session, "live");
    a.tab.mute(false);
    expect(await live).toMatchObject({ recovered: true, generation: a.session.generation });
    expect(b.session.signal.aborted).toBe(false);
  });

  it("let a tab that is opened after a takeover decide anew", async () => {
    const a = await open();
    const lost = nextEvent(a.session, "lost");
    server.takeOver(KEY, { name: "B" });
    await lost;
    const refused = open({ onConflict: "refuse" });
    await expect(refused).rejects.toMatchObject({ code: "key_in_use" });
    const b = await open();
    expect(b.session.generation).toBeGreaterThan(a.session.generation);
    expect(a.session.state).toBe("lost");
  });

  it("lead again after a time in the back/forward cache, or find that another tab does", async () => {
    const a = await open();
    a.tab.page.dispatch("pagehide", true);
    await sleep(200);
    expect(count("/end")).toBe(0);
    const before = count("/heartbeat");
    a.tab.page.dispatch("pageshow", true);
    await sleep(250);
    expect(count("/heartbeat")).toBe(before + 1);

    const b = await open();
    a.tab.page.dispatch("pagehide", true);
    await sleep(600);
    a.tab.page.dispatch("pageshow", true);
    await sleep(TIMEOUT_MS);
    expect([a.session.state, b.session.state, count("/start")]).toEqual(["live", "live", 1]);
    expect(a.session.sessionId).toBe(b.session.sessionId);
  });

  it("show proof by the leader alone, and each lead is an instance of its own", async () => {
    const proofs = () =>
      server.requests.flatMap(({ body }) => (body?.proof as { instance: string; number: number } | undefined) ?? []);
    const a = await open({ proof: true });
    await open({ proof: true });
    await sleep(1_000);
    const [first] = proofs();
    expect(proofs().length).toBeGreaterThanOrEqual(3);
    expect(proofs().every(({ instance }) => instance === first?.instance)).toBe(true);
    a.tab.page.dispatch("pagehide", true);
    await sleep(1_000);
    const instances = [...new Set(proofs().map(({ instance }) => instance))];
    expect(instances).toHaveLength(2);
    const before = proofs().length;
    a.tab.page.dispatch("pageshow", true);
    await sleep(1_000);
    // The tab that was shown again follows: the other one still leads.
    expect(
      new Set(
        proofs()
          .slice(before)
          .map(({ instance }) => instance),
      ),
    ).toEqual(new Set(instances.slice(1)));
    expect(count("/watch")).toBeGreaterThan(0);
  });

  it("leave a challenge unanswered that reaches a tab after it gave up the lead", async () => {
    const body = { error: "Show that you are running", code: "proof_challenge", request_id: "r", challenge: "c-1" };
    const a = await open({
      proof: true,
      fetch: async (url, init) => {
        const answer = await fetch(url, init);
        if (!url.endsWith("/heartbeat") || leads) return answer;
        await sleep(300);
        return new Response(JSON.stringify(body), { status: 409 });
      },
    });
    let leads = true;
    await sleep(500);
    leads = false;
    const sent = count("/heartbeat");
    while (count("/heartbeat") === sent) await sleep(5);
    a.tab.page.dispatch("pagehide", true);
    await sleep(600);
    expect(JSON.stringify(server.requests)).not.toContain("c-1");
    a.tab.page.dispatch("pageshow", true);
    while (!JSON.stringify(server.requests).includes("c-1")) await sleep(20);
    leads = true;
  });

  it("name neither their lock nor their channel by any part of the key", async () => {
    const names: string[] = [];
    const record = (name: string) => void names.push(name);
    const request: FakeLocks["request"] = (name, ...more) => {
      record(name);
      return FakeLocks.prototype.request.call(locks, name, ...more);
    };
    const tab = openTab(locks);
    tabs.push(tab);
    const openChannel = (name: string) => {
      record(name);
      return tab.options.openChannel?.(name) as never;
    };
    const one = await open({ accessKey: "abcdefgh", locks: { request }, openChannel });
    const other = await open({ accessKey: "abcdefgh" });
    expect(one.session.sessionId).toBe(other.session.sessionId);
    expect(names).toHaveLength(2);
    for (const name of names) expect(name).not.toMatch(/abcd|efgh|cdef/);
  });

  it("do not mix the sessions of two keys", async () => {
    const a = await open();
    const b = await open({ accessKey: `${KEY}-2` });
    expect(a.session.sessionId).not.toBe(b.session.sessionId);
    expect(count("/start")).toBe(2);
  });

  it("have a session each where they are asked to, or where the browser has no locks", async () => {
    vi.stubGlobal("navigator", {});
    const alone = { page: undefined, locks: undefined };
    const a = await open({ ...alone, accessKey: "a" });
    const b = await open({ shareTabs: false, accessKey: "a" });
    expect(a.session.sessionId).not.toBe(b.session.sessionId);
    expect(count("/start")).toBe(2);
  });
});
