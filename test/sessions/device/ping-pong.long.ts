/** Two programs that restart each other come to rest; nobody is locked out, and whoever holds the key keeps it. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { type Session, startSession } from "../../../src/client/index.ts";
import { ADMIN_TOKEN, postInit, useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { readValue, scrape } from "../../support/metrics.ts";
import { newSessionId } from "../../support/secrets.ts";

const db = useDatabase();
const app = useApp(db, { adminToken: ADMIN_TOKEN, env: { LIMIT_STARTS: "60" } });

async function post(path: string, body: object) {
  const response = await fetch(`${app.url}/api/session/${path}`, postInit(body));
  const reply = (await response.json()) as { code?: string; session_id: string; resumed?: boolean };
  return { status: response.status, ...reply, retryAfter: Number(response.headers.get("retry-after")) };
}

const start = (access_key: string, device: string, more: object = {}) =>
  post("start", { access_key, session_id: newSessionId(), device: { name: device }, ...more });

/** The pause is measured from when the holder started. */
const letPass = (keyId: number, seconds: number) =>
  db.sql`UPDATE active_sessions SET started_at = started_at - make_interval(secs => ${seconds}) WHERE key_id = ${keyId}`;

/** The key goes to and fro until one of the two is told to wait. */
async function swapUntilSlowed(key: string) {
  for (let starts = 0; ; starts++) {
    const reply = await start(key, starts % 2 ? "B" : "A");
    if (reply.status !== 200) return { starts, reply, waiting: starts % 2 ? "B" : "A" };
  }
}

describe("two devices that take a key from each other", () => {
  it("swap it 21 times, then the next waits, and after the pause gets it", async () => {
    const { key, id } = await db.makeKey();
    const { starts, reply, waiting } = await swapUntilSlowed(key);
    expect(starts).toBe(22); // the first found the key free
    expect(reply).toMatchObject({ status: 429, code: "rate_limited" });
    expect(reply.retryAfter).toBeGreaterThanOrEqual(1);
    expect(reply.retryAfter).toBeLessThanOrEqual(5);
    await letPass(id, 5);
    expect((await start(key, waiting)).status).toBe(200);
  });

  it("leave the holder alone: heartbeats and resumptions are never slowed, and a third device gets through", async () => {
    const { key } = await db.makeKey();
    let mine = newSessionId();
    for (let starts = 0; starts < 22; starts++) {
      mine = newSessionId();
      expect((await start(key, starts % 2 ? "B" : "A", { session_id: mine })).status).toBe(200);
    }
    for (let again = 0; again < 10; again++) {
      expect((await start(key, "A")).status).toBe(429);
      expect((await post("heartbeat", { session_id: mine })).status).toBe(200);
      expect(await start(key, "B", { session_id: mine })).toMatchObject({ status: 200, resumed: true });
    }
    expect((await start(key, "A", { on_conflict: "refuse" })).status).toBe(409);
    expect((await start(key, "C")).status).toBe(200);
  });

  it("wait longer the longer they go on, and never over a minute", async () => {
    const { key, id } = await db.makeKey();
    await swapUntilSlowed(key);
    const waits: number[] = [];
    for (let swap = 0; swap < 16; swap++) {
      const { device } = (await db.sql`SELECT device FROM active_sessions WHERE key_id = ${id}`)[0] as {
        device: { name: string };
      };
      const next = device.name === "A" ? "B" : "A";
      const slowed = await start(key, next);
      expect(slowed.status).toBe(429);
      waits.push(slowed.retryAfter);
      await letPass(id, 60);
      expect((await start(key, next)).status).toBe(200);
    }
    expect(waits[0]).toBeLessThanOrEqual(5);
    expect(waits.at(-1)).toBeGreaterThan(50);
    expect(Math.max(...waits)).toBeLessThanOrEqual(60);
  });

  it("are reported in one line with the masked key, and counted in the metrics", async () => {
    const { key } = await db.makeKey();
    const read = async () => readValue(await scrape(app.url), "keybeat_takeover_ping_pongs_total") ?? 0;
    const before = await read();
    const seen = app.log.length;
    const { waiting } = await swapUntilSlowed(key);
    for (let again = 0; again < 4; again++) expect((await start(key, waiting)).status).toBe(429);
    const lines = app.log.slice(seen).filter((line) => line.includes("takeover ping-pong"));
    expect(lines).toHaveLength(1);
    expect(lines[0]).not.toContain(key);
    expect(JSON.parse(lines[0] as string)).toMatchObject({ swaps: 21, access_key: expect.stringContaining("…") });
    expect((await read()) - before).toBe(5);
  });
});

it("devices that do not say what they are, are not taken for the same two", async () => {
  const { key } = await db.makeKey();
  for (let at = 0; at < 40; at++) {
    const { status } = await post("start", { access_key: key, session_id: newSessionId() });
    expect(status).toBe(200);
  }
});

it("a key is taken over by ever new devices at most LIMIT_STARTS times a minute", async () => {
  const { key } = await db.makeKey();
  const statuses: number[] = [];
  for (let at = 0; at <= 61; at++) statuses.push((await start(key, `device ${at}`)).status);
  expect(statuses).toEqual([...Array(61).fill(200), 429]);
  await db.sql`UPDATE session_history SET ended_at = ended_at - interval '1 minute'`;
  expect((await start(key, "the owner")).status).toBe(200);
});

it("two programs with the TypeScript client that start again whenever they lose the key rest, and none hammers", async () => {
  const { key } = await db.makeKey();
  const stop = new AbortController();
  const sent: string[] = [];
  const failures: unknown[] = [];
  const live = new Set<Session>();
  const run = async (name: string) => {
    while (!stop.signal.aborted) {
      const fetchCounted = (url: string, init?: RequestInit) => {
        if (url.endsWith("/start")) sent.push(name);
        return fetch(url, init);
      };
      const options = { url: app.url, accessKey: key, device: { name }, fetch: fetchCounted };
      const session = await startSession(options);
      live.add(session);
      const over = AbortSignal.any([session.signal, stop.signal]);
      if (!over.aborted) await new Promise((resolve) => over.addEventListener("abort", resolve, { once: true }));
      live.delete(session);
      await session.end();
    }
  };
  const programs = ["A", "B"].map((name) => run(name).catch((error) => failures.push(error)));
  await sleep(3000);
  const early = sent.length;
  await sleep(9000);
  const late = sent.length - early;
  expect(live.size).toBe(1); // one holds it and beats, the other waits
  expect(early).toBeGreaterThanOrEqual(8);
  expect(late).toBeGreaterThanOrEqual(1);
  expect(late).toBeLessThanOrEqual(8);
  stop.abort();
  await Promise.all(programs);
  expect(failures).toEqual([]);
}, 60_000);
