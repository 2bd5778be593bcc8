/** What an address may do wrong, and that nobody else feels it. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readConfig } from "../../src/config.ts";
import { runCleanup } from "../../src/jobs/cleanup.ts";
import { createLog } from "../../src/log.ts";
import { ADMIN_TOKEN, postInit, useApp } from "../support/app.ts";
import { useDatabase } from "../support/database.ts";
import { type RunningServer, startServer } from "../support/process.ts";
import { newAccessKey } from "../support/secrets.ts";

const db = useDatabase();
const LIMITS = { unknownKeys: 30, signIns: 10, starts: 60 };

const from = (address: string) => ({ "X-Forwarded-For": address });
const start = (access_key: string, device = "a device") => ({ access_key, device: { name: device } });

/** Sends so many, twenty at a time; counts the statuses and looks at what comes with 429. */
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
  const app = useApp(db, { adminToken: ADMIN_TOKEN, trustProxy: 1, limits: LIMITS });
  const post = (path: string, body: object, headers: Record<string, string>) =>
    fetch(app.url + path, postInit(body, headers));

  it("answers a status of unknown keys up to the limit, and of known ones always", async () => {
    const { key } = await db.makeKey();
    const status = (access_key: string) => post("/api/session/status", { access_key }, from("203.0.113.20"));
    expect(await flood(60, () => status(newAccessKey()))).toEqual({ 200: 30, 429: 30 });
    expect((await status(key)).status).toBe(200);
    expect((await post("/api/session/start", start(newAccessKey()), from("203.0.113.20"))).status).toBe(429);
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
    // A count that takes over 400 ms is not waited for, on a busy machine; two limits would be 60.
    expect(statuses).toEqual({ 403: expect.any(Number), 429: 1000 - Number(statuses[403]) });
    expect(statuses[403]).toBeGreaterThanOrEqual(30);
    expect(statuses[403]).toBeLessThan(45);
    expect(right).toEqual(Array(10).fill(200));
  });
});

it("takes whole numbers, and 0 for no limit", () => {
  expect(readConfig({}).limits).toEqual({ unknownKeys: 120, signIns: 60, starts: 600 });
  expect(readConfig({ LIMIT_UNKNOWN_KEYS: "0", LIMIT_SIGN_INS: "0", LIMIT_STARTS: "0" }).limits).toEqual({
    ...{ unknownKeys: 0, signIns: 0, starts: 0 },
  });
  for (const name of ["LIMIT_UNKNOWN_KEYS", "LIMIT_SIGN_INS", "LIMIT_STARTS"]) {
    expect(() => readConfig({ [name]: "-1" })).toThrow(name);
  }
});
