/** The client over real HTTP and in real time, against the fake server that keybeat/testing gives to apps. */
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type StartOptions, startSession } from "../../src/client/index.ts";
import { type FakeServer, startFakeServer } from "../../src/client/testing/index.ts";
import { nextEvent } from "./support/next-event.ts";

const KEY = "an-access-key";

let server: FakeServer;
const opened: { end(): Promise<void> }[] = [];

beforeEach(async () => {
  server = await startFakeServer({ timeoutSeconds: 4, heartbeatSeconds: 0.6 });
});

afterEach(async () => {
  server.online();
  await Promise.all(opened.splice(0).map((session) => session.end()));
  await server.close();
});

async function start(more: Partial<StartOptions> = {}) {
  const session = await startSession({ url: server.url, accessKey: KEY, random: () => 0, ...more } as StartOptions);
  opened.push(session);
  return session;
}

const count = (path: string) => server.requests.filter((request) => request.path.endsWith(path)).length;

/** Until the stream is open: what ends the session from now on, it tells. */
async function streamOpens(): Promise<void> {
  while (count("/watch") === 0) await sleep(5);
  await sleep(20);
}

describe("a session over HTTP", () => {
  it("is told of a takeover at once, by whom, and sends nothing in the second that follows", async () => {
    let sent = 0;
    const counting: typeof fetch = (...request) => {
      sent++;
      return fetch(...request);
    };
    const session = await start({ device: { name: "A" }, fetch: counting });
    await streamOpens();
    const lost = nextEvent(session, "lost");
    const takenAt = performance.now();
    const rival = server.takeOver(KEY, { name: "B" });
    expect(await lost).toMatchObject({
      reason: "replaced",
      final: true,
      code: "session_replaced",
      ended_at: expect.any(String),
      by: { started_at: rival.started_at, device: { name: "B" } },
    });
    expect(performance.now() - takenAt).toBeLessThan(250);
    expect(session.signal.aborted).toBe(true);
    const before = sent;
    await sleep(1_100);
    expect(sent).toBe(before);
  });

  it("beats as often as the server asks", async () => {
    await start();
    await sleep(2_000);
    expect(count("/heartbeat")).toBeGreaterThanOrEqual(2);
    expect(count("/heartbeat")).toBeLessThanOrEqual(4);
  });

  it("is refused while another device holds the key, and told which", async () => {
    server.takeOver(KEY, { name: "B" });
    const refused = start({ onConflict: "refuse" });
    await expect(refused).rejects.toMatchObject({ code: "key_in_use", data: { holder: { device: { name: "B" } } } });
    expect(count("/start")).toBe(1);
  });

  it("takes over exactly the holder that the person agreed to replace", async () => {
    server.takeOver(KEY, { name: "B" });
    const asked: unknown[] = [];
    const session = await start({
      onConflict: "ask",
      ask: (holder) => {
        asked.push(holder.device?.name);
        if (asked.length === 1) server.takeOver(KEY, { name: "C" });
        return true;
      },
    });
    expect(asked).toEqual(["B", "C"]);
    expect(session.state).toBe("live");
  });

  it("outlives an outage that is shorter than its deadline", async () => {
    const session = await start();
    const degraded = nextEvent(session, "degraded");
    const recovered = nextEvent(session, "recovered");
    server.offline();
    expect((await degraded).error).toMatch(/ECONN|other side closed|UND_ERR|fetch failed/);
    server.online();
    await recovered;
    expect(count("/start")).toBe(1);
  });

  it("is unreachable when the deadline has passed, and comes back by a new start when the server is", async () => {
    const session = await start({ requestTimeoutMs: 500 });
    const { generation, sessionId } = session;
    server.hang();
    expect(await nextEvent(session, "lost")).toMatchObject({ reason: "unreachable", final: false });
    await sleep(500);
    server.online();
    const live = await nextEvent(session, "live");
    expect(live).toMatchObject({ recovered: true, resumed: false, previous: null });
    expect(live.generation).toBeGreaterThan(generation);
    expect(session.sessionId).not.toBe(sessionId);
  });

  it("follows no redirect: a login page is not handed the key", async () => {
    const session = await start();
    const degraded = nextEvent(session, "degraded");
    const elsewhere = `${server.url}/login`;
    server.fail({ status: 307, headers: { Location: elsewhere } });
    await degraded;
    server.online();
    await nextEvent(session, "recovered");
    expect(count("/login")).toBe(0);
  });

  it("takes an HTML page for no answer at all", async () => {
    const session = await start();
    server.fail({ status: 200, body: "<title>Hotel</title>", times: 1, path: "/api/session/heartbeat" });
    expect((await nextEvent(session, "degraded")).error).toBe("HTTP 200");
    await nextEvent(session, "recovered");
  });

  it("is over when its key is revoked, and the key starts nothing any more", async () => {
    const session = await start();
    await streamOpens();
    const lost = nextEvent(session, "lost");
    server.revoke(KEY);
    expect(await lost).toMatchObject({ reason: "revoked", final: true });
    await expect(start()).rejects.toMatchObject({ code: "key_revoked" });
  });

  it("comes back at once when it has merely expired, and stays away when it was kicked", async () => {
    const session = await start();
    await streamOpens();
    const live = nextEvent(session, "live");
    server.expire(KEY);
    expect(await live).toMatchObject({ recovered: true });
    await sleep(100);
    const lost = nextEvent(session, "lost");
    server.kick(KEY);
    expect(await lost).toMatchObject({ reason: "revoked", final: true });
    expect(server.takeOver(KEY).previous_session).toBeNull();
  });

  it("does not wait for ever for an end that nobody answers", async () => {
    const session = await start();
    server.hang();
    const before = performance.now();
    await session.end();
    expect(performance.now() - before).toBeLessThan(3_600);
  });
});

describe("the fake server", () => {
  it("goes on when a device hangs up in the midst of a request", async () => {
    const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
    socket.write('POST /api/session/start HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{"access_key":');
    await sleep(50);
    socket.destroy();
    await sleep(50); // an unhandled rejection would fail the run
    expect((await start()).state).toBe("live");
  });
});
