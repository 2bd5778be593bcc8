/** What one address may do wrong, without anybody else noticing. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readConfig } from "../../src/config.ts";
import type { LaneCounts } from "../../src/database/lane.ts";
import { createLog } from "../../src/log.ts";
import { device } from "../../src/sessions/device/kind.ts";
import { settingsOf } from "../../src/sessions/kinds.ts";
import { waitingRoom } from "../../src/sessions/waiting-room/kind.ts";
import { ADMIN_TOKEN, postInit, useApp } from "../support/app.ts";
import { runCleanup } from "../support/cleanup.ts";
import { useDatabase } from "../support/database.ts";
import { type RunningServer, startServer } from "../support/process.ts";
import { newAccessKey, newSessionId } from "../support/secrets.ts";

const db = useDatabase();
const LIMITS = { LIMIT_UNKNOWN_KEYS: "30", LIMIT_SIGN_INS: "10", LIMIT_STARTS: "60", LIMIT_PLACES: "20" };

const requestCalls = () => {
  const { calls } = db.database.counts.find(({ lane }) => lane === "requests") as LaneCounts;
  return Object.values(calls).reduce((sum, count) => sum + count, 0);
};
const from = (address: string) => ({ "X-Forwarded-For": address });
const start = (access_key: string, device = "a device") => ({ access_key, device: { name: device } });

/** Sends that many, twenty at a time; counts the statuses and checks the 429s. */
async function flood(count: number, send: (at: number) => Promise<Response>): Promise<Record<number, number>> {
  const statuses: Record<number, number> = {};
  let next = 0;
  const sendNext = async () => {
    while (next < count) {
      const response = await send(next++);
      const body = (await response.json()) as { code?: string };
      statuses[response.status] = (statuses[response.status] ?? 0) + 1;
      if (response.status !== 429) continue;
      expect(body.code).toBe("rate_limited");
      const seconds = Number(response.headers.get("retry-after"));
      expect(seconds).toBeGreaterThanOrEqual(1);
      expect(seconds).toBeLessThanOrEqual(60);
    }
  };
  await Promise.all(Array.from({ length: 20 }, sendNext));
  return statuses;
}

describe("in one process", () => {
  const app = useApp(db, { adminToken: ADMIN_TOKEN, trustProxy: 1, env: LIMITS });
  const post = (path: string, body: object, headers: Record<string, string>) =>
    fetch(app.url + path, postInit(body, headers));

  it("answers a status of a key that exists and of one that does not alike, however many were asked for", async () => {
    const { key } = await db.makeKey();
    const status = async (access_key: string) => {
      const response = await post("/api/session/status", { access_key }, from("203.0.113.20"));
      const { request_id: _each, ...body } = (await response.json()) as Record<string, unknown>;
      return [response.status, body];
    };
    const unknown = () => post("/api/session/status", { access_key: newAccessKey() }, from("203.0.113.20"));
    expect((await flood(60, unknown))[429]).toBeUndefined();
    expect(await status(newAccessKey())).toEqual([200, { active: false }]);
    expect(await status(key)).toEqual([200, { active: false }]);
    expect((await post("/api/session/start", start(newAccessKey()), from("203.0.113.20"))).status).toBe(429);

    await flood(300, unknown);
    const refused = await status(newAccessKey());
    expect(refused).toEqual([429, expect.objectContaining({ code: "rate_limited" })]);
    expect(await status(key)).toEqual(refused);
  });

  it("judges nothing of an address that is over ten times its limit, at no cost to the database", async () => {
    const { key } = await db.makeKey();
    const own = { ...start(key), session_id: newSessionId() };
    expect((await post("/api/session/start", own, from("203.0.113.25"))).status).toBe(200);
    const wrong = () => post("/api/session/start", start(newAccessKey()), from("203.0.113.25"));
    await flood(320, wrong);
    const { session_id } = own;
    const before = requestCalls();
    expect(await flood(200, wrong)).toEqual({ 429: 200 });
    expect(requestCalls() - before).toBeLessThanOrEqual(1);
    expect((await post("/api/session/start", start(key), from("203.0.113.25"))).status).toBe(429);
    expect((await post("/api/session/start", own, from("203.0.113.26"))).status).toBe(200);
    expect((await post("/api/session/heartbeat", { session_id }, from("203.0.113.25"))).status).toBe(200);
    expect((await post("/api/session/end", { session_id }, from("203.0.113.25"))).status).toBe(200);
  });

  it("tries no admin token of an address that is over ten times its limit, whichever way it comes", async () => {
    const address = from("203.0.113.27");
    const me = (headers: Record<string, string>) =>
      fetch(`${app.url}/api/admin/me`, { headers: { ...address, ...headers } });
    const signIn = (token: string) => post("/api/admin/sign-in", { token }, address);
    const cookie = (await signIn(ADMIN_TOKEN)).headers.get("set-cookie")?.split(";")[0] as string;
    const forged = { Cookie: "keybeat_admin=3f2a91c0.9999999999999.guess" };
    const ways = [
      () => me({ Authorization: "Bearer a-guess" }),
      () => me({ "X-Admin-Password": "a-guess" }),
      () => me(forged),
      () => signIn("a-guess"),
    ];
    for (const way of ways) expect((await way()).status).toBe(401);
    await flood(120, (at) => (ways[at % 4] as () => Promise<Response>)());
    const right = [
      () => me({ Authorization: `Bearer ${ADMIN_TOKEN}` }),
      () => me({ "X-Admin-Password": ADMIN_TOKEN }),
      () => me({ Cookie: cookie }),
      () => signIn(ADMIN_TOKEN),
    ];
    for (const way of [...ways, ...right]) expect((await way()).status).toBe(429);
    const elsewhere = { "X-Forwarded-For": "203.0.113.28", Cookie: cookie };
    expect((await fetch(`${app.url}/api/admin/me`, { headers: elsewhere })).status).toBe(200);
  });

  it("tells the operator of an address once a minute, in the log and the audit log, and of no key or token", async () => {
    const lines = app.log.filter((line) => line.includes("203.0.113.27")).map((line) => JSON.parse(line));
    const told = lines.filter(({ msg }) => msg === "an address is over a limit");
    expect(told).toMatchObject([{ limit: "sign-in", count: expect.any(Number), per_minute: 10 }]);
    const entries = await db.sql`
      SELECT who, details FROM audit_log WHERE from_address = '203.0.113.27' AND action = 'limit_exceeded'`;
    expect(entries).toEqual([
      { who: "service", details: expect.objectContaining({ limit: "sign-in", per_minute: 10 }) },
    ]);
    expect(JSON.stringify([told, entries])).not.toContain("a-guess");
  });

  it("bounds how fast one client can fill the history: by start and end of one key", async () => {
    const { key, id } = await db.makeKey();
    const statuses: number[] = [];
    for (let at = 0; at < 62; at++) {
      const session_id = newSessionId();
      const begun = await post("/api/session/start", { access_key: key, session_id, on_conflict: "refuse" }, {});
      statuses.push(begun.status);
      await post("/api/session/end", { session_id }, {});
    }
    expect(statuses).toEqual([...Array(60).fill(200), 429, 429]);
    await db.sql`UPDATE session_history SET ended_at = ended_at - interval '1 minute' WHERE key_id = ${id}`;
    expect((await post("/api/session/start", start(key), {})).status).toBe(200);
  });

  it("bounds how fast one client can fill the waiting room's history: by places asked for", async () => {
    const room = `${app.url}/api/v1/session`;
    const create = (at: number) =>
      fetch(`${room}/create`, postInit({ user_id: `user-${at}`, session_id: "s" }, from("203.0.113.29")));
    expect(await flood(40, create)).toEqual({ 200: 20, 429: 20 });
  });

  it("lets a right key through from an address that is over its limit", async () => {
    const { key } = await db.makeKey();
    const wrong = () => post("/api/session/start", start(newAccessKey()), from("203.0.113.21"));
    await flood(40, wrong);
    expect((await wrong()).status).toBe(429);
    expect((await post("/api/session/start", start(key), from("203.0.113.21"))).status).toBe(200);
  });

  it("takes the addresses of one IPv6 network for one caller", async () => {
    const wrong = (at: number) => post("/api/session/start", start(newAccessKey()), from(`2001:db8::${at + 1}`));
    expect(await flood(60, wrong)).toEqual({ 403: 30, 429: 30 });
    expect((await post("/api/session/start", start(newAccessKey()), from("2001:db8:0:1::1"))).status).toBe(403);
  });

  it("slows wrong admin tokens down, by sign-in and by header, and lets the right one in", async () => {
    const signIn = (token: string) => post("/api/admin/sign-in", { token }, from("203.0.113.22"));
    const ask = (token: string) =>
      fetch(`${app.url}/api/admin/me`, { headers: { ...from("203.0.113.22"), Authorization: `Bearer ${token}` } });
    expect(await flood(40, (at) => (at % 2 ? signIn("wrong") : ask("wrong")))).toEqual({ 401: 10, 429: 30 });
    expect((await signIn(ADMIN_TOKEN)).status).toBe(200);
    expect((await ask(ADMIN_TOKEN)).status).toBe(200);
    expect((await fetch(`${app.url}/api/admin/me`, { headers: from("203.0.113.22") })).status).toBe(401);
  });

  it("lets an office of 2,000 devices start from one address", async () => {
    const keys: string[] = [];
    const make = async () => {
      while (keys.length < 2000) keys.push((await db.makeKey()).key);
    };
    await Promise.all(Array.from({ length: 8 }, make));
    const office = keys.slice(0, 2000);
    const begin = (at: number) => post("/api/session/start", start(office[at] as string), from("203.0.113.23"));
    expect(await flood(2000, begin)).toEqual({ 200: 2000 });
  }, 60_000);

  it("counts in the process, and holds no device up, while the counts cannot be had", async () => {
    const { key } = await db.makeKey();
    const wrong = () => post("/api/session/start", start(newAccessKey()), from("203.0.113.24"));
    let right: Response | undefined;
    const statuses = await db.sql.begin(async (sql) => {
      await sql`LOCK TABLE limit_counts IN ACCESS EXCLUSIVE MODE`;
      const found = await flood(100, wrong);
      right = await post("/api/session/start", start(key), from("203.0.113.24"));
      return found;
    });
    expect(right?.status).toBe(200);
    expect(statuses).toEqual({ 403: 30, 429: 70 });
  });

  it("is forgotten by the cleanup when its time is over", async () => {
    const counted = async () => (await db.sql`SELECT key FROM limit_counts`).map(({ key }) => key);
    expect(await counted()).toContain("unknown-key:203.0.113.20");
    await db.sql`UPDATE limit_counts SET expire = expire - 200000`;
    const log = createLog("silent", { write: () => {} });
    await runCleanup(db.database, log, { historyRetentionDays: 90, budgetMs: 10_000, asked: false });
    expect(await counted()).not.toContain("unknown-key:203.0.113.20");
  });
});

describe("in two processes", () => {
  let servers: RunningServer[] = [];
  beforeAll(async () => {
    const env = { DATABASE_URL: db.url, TRUST_PROXY: "1", LIMIT_UNKNOWN_KEYS: "30", LOG_LEVEL: "warn" };
    servers = await Promise.all([startServer(env), startServer(env)]);
  });
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.stop()));
  });

  it("slows 1,000 wrong keys from one address to one limit, and leaves a right key from another untouched", async () => {
    const { key } = await db.makeKey();
    const send = (at: number, access_key: string, address: string) =>
      fetch(`${servers[at % 2]?.url}/api/session/start`, postInit(start(access_key), from(address)));
    for (const at of [0, 1]) await send(at, newAccessKey(), "198.51.100.8"); // opens the connections
    const right: number[] = [];
    const statuses = await flood(1000, async (at) => {
      if (at % 100 === 0) right.push((await send(at / 100, key, "198.51.100.7")).status);
      return send(at, newAccessKey(), "203.0.113.30");
    });
    // A busy machine does not wait for a count that takes over 400 ms; two limits would be 60.
    expect(statuses).toEqual({ 403: expect.any(Number), 429: 1000 - Number(statuses[403]) });
    expect(statuses[403]).toBeGreaterThanOrEqual(30);
    expect(statuses[403]).toBeLessThan(45);
    expect(right).toEqual(Array(10).fill(200));
  });
});

it("takes whole numbers, and 0 for no limit", () => {
  const read = (env: Record<string, string>) => {
    const { signInsPerMinute, kinds } = readConfig(env);
    const { unknownKeysPerMinute, startsPerMinute } = settingsOf(device, kinds);
    return [unknownKeysPerMinute, signInsPerMinute, startsPerMinute, settingsOf(waitingRoom, kinds).placesPerMinute];
  };
  expect(read({})).toEqual([120, 60, 600, 6_000]);
  const names = ["LIMIT_UNKNOWN_KEYS", "LIMIT_SIGN_INS", "LIMIT_STARTS", "LIMIT_PLACES"];
  expect(read(Object.fromEntries(names.map((name) => [name, "0"])))).toEqual([0, 0, 0, 0]);
  for (const name of names) expect(() => readConfig({ [name]: "-1" })).toThrow(name);
});
