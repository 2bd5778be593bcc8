/** Access: every route of the admin API, from its description. */
import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createLog } from "../../src/log.ts";
import { readVersion } from "../../src/version.ts";
import { ADMIN_TOKEN, postInit, readReply, useApp } from "../support/app.ts";
import { runCleanup } from "../support/cleanup.ts";
import { useDatabase } from "../support/database.ts";
import { addressOf, ROUTES as DESCRIBED, nameOf } from "../support/routes.ts";
import { byToken, callerWith, lookOn, signIn } from "./support/admin.ts";

const db = useDatabase();
const app = useApp(db);
const closed = useApp(db, { adminToken: undefined });

const ADMIN = DESCRIBED.filter(({ path }) => path.startsWith("/api/admin/"));
const SIGN_IN = "POST /api/admin/sign-in";

/** All of them but the sign-in. */
const ROUTES = ADMIN.filter((route) => nameOf(route) !== SIGN_IN).map((route): [method: string, path: string] => [
  route.method.toUpperCase(),
  addressOf(route).replace("/api/admin", ""),
]);
const CHANGES = ROUTES.filter(([method]) => method !== "GET");

const state = async () => {
  const [row] = await db.sql`
    SELECT (SELECT json_agg(k ORDER BY id) FROM keys k)::text AS keys, (SELECT count(*) FROM audit_log) AS entries`;
  return row;
};
const bodyOf = (method: string) => (method === "GET" || method === "DELETE" ? undefined : {});

describe("the admin API", () => {
  it("has no route that is not asked below, and lets anybody in at the sign-in alone", () => {
    const mounted = app
      .routes()
      .filter(({ method, path }) => path.startsWith("/api/admin/") && method !== "ALL")
      .map(({ method, path }) => nameOf({ method, path: path.replace(/:(\w+)/g, "{$1}") }));
    expect(ADMIN.map(nameOf).sort()).toEqual([...new Set(mounted)].sort());
    expect(ADMIN.filter(({ access }) => access !== "operator").map(nameOf)).toEqual([SIGN_IN]);
    expect(ROUTES).toContainEqual(["POST", "/cleanup-sessions"]);
  });

  it.each(ROUTES)("%s %s wants the token, and does nothing without it", async (method, path) => {
    await db.makeKey();
    const before = await state();
    const wrongs: Array<Record<string, string>> = [
      {},
      { Authorization: "Bearer wrong" },
      { Authorization: `Basic ${ADMIN_TOKEN}` },
      { "X-Admin-Password": "wrong" },
      { Cookie: "keybeat_admin=0.9999999999999.wrong" },
    ];
    for (const headers of wrongs) {
      const reply = await callerWith(app, headers).send(method, path, bodyOf(method));
      expect([reply.status, reply.body.code]).toEqual([401, "unauthorized"]);
      expect(reply.headers.get("www-authenticate")).toMatch(/^Bearer/);
      expect(reply.headers.get("cache-control")).toBe("no-store");
    }
    expect(await state()).toEqual(before);
  });

  it.each([...ROUTES, ["POST", "/sign-in"]])(
    "%s %s does not exist without a configured token",
    async (method, path) => {
      for (const headers of [{}, { Authorization: `Bearer ${ADMIN_TOKEN}` }, { "X-Admin-Password": "undefined" }]) {
        const reply = await callerWith(closed, headers as Record<string, string>).send(method, path, bodyOf(method));
        expect([reply.status, reply.body.code]).toEqual([404, "not_found"]);
      }
    },
  );

  it("says nothing of itself to who is not signed in: an unknown path is 401 too", async () => {
    expect((await callerWith(app, {}).get("/nothing-here")).status).toBe(401);
    expect((await byToken(app).get("/nothing-here")).status).toBe(404);
  });
});

describe("the page's sign-in", () => {
  it("gives a cookie that no script reads and no other site sends, for 12 hours, and a CSRF token", async () => {
    const { reply, cookie, caller, csrf } = await signIn(app);
    expect([reply.status, reply.body]).toEqual([200, { success: true, csrf_token: csrf }]);
    expect(cookie).toMatch(/^keybeat_admin=[\w.-]+; Max-Age=43200; HttpOnly; SameSite=Strict$/);
    expect(cookie).not.toContain(ADMIN_TOKEN);
    const me = await caller.get("/me");
    expect(me.body).toEqual({ signed_in: true, by: "page", csrf_token: csrf, version: readVersion() });
    expect((await byToken(app).get("/me")).body).toEqual({ signed_in: true, by: "token", version: readVersion() });
  });

  it("marks the cookie Secure where the page is asked for by https", async () => {
    const headers = { "X-Forwarded-Proto": "https" };
    const response = await fetch(`${app.url}/api/admin/sign-in`, postInit({ token: ADMIN_TOKEN }, headers));
    const cookie = response.headers.get("set-cookie") as string;
    expect(cookie).toMatch(/^__Secure-keybeat_admin=.*; Secure/);
    const me = (more: Record<string, string>) =>
      fetch(`${app.url}/api/admin/me`, { headers: { ...more, Cookie: cookie.split(";")[0] as string } });
    expect((await me(headers)).status).toBe(200);
    expect((await me({})).status).toBe(401);
  });

  it.each(["", "wrong", `${ADMIN_TOKEN}x`, ADMIN_TOKEN.slice(1)])("refuses «%s», without a cookie", async (token) => {
    const { reply, cookie } = await signIn(app, token);
    expect([reply.status, reply.body.code, cookie]).toEqual([401, "unauthorized", ""]);
  });

  it("refuses a body that is no token, and one that comes as a form", async () => {
    expect((await callerWith(app, {}).post("/sign-in", { token: 1 })).status).toBe(400);
    const form = { method: "POST", body: new URLSearchParams({ token: ADMIN_TOKEN }) };
    expect((await fetch(`${app.url}/api/admin/sign-in`, form)).status).toBe(415);
  });

  it("is refused to another site's page", async () => {
    const headers = { Origin: "https://evil.example" };
    const response = await fetch(`${app.url}/api/admin/sign-in`, postInit({ token: ADMIN_TOKEN }, headers));
    expect([response.status, response.headers.get("set-cookie")]).toEqual([403, null]);
  });

  it("is for the admin API alone: the cookie has no path of its own, and no other address is sent it", async () => {
    const { cookie } = await signIn(app);
    expect(cookie).not.toMatch(/path|domain/i); // a browser then takes the folder of the request
  });

  it("is over with the sign-out, at once and in every process, also for who has kept the cookie", async () => {
    const { pair, csrf, caller } = await signIn(app);
    const other = await signIn(app);
    const reply = await caller.post("/sign-out");
    expect([reply.status, reply.body]).toEqual([200, { success: true }]);
    expect(reply.headers.get("set-cookie")).toMatch(/^keybeat_admin=; Max-Age=0/);
    for (const each of [app, beside]) {
      for (const [method, path] of [
        ["GET", "/me"],
        ["GET", "/keys"],
        ["GET", "/events"],
        ["POST", "/keys"],
      ] as const) {
        expect([
          path,
          (await callerWith(each, { Cookie: pair, "X-CSRF-Token": csrf }).send(method, path, bodyOf(method))).status,
        ]).toEqual([path, 401]);
      }
    }
    expect((await other.caller.get("/me")).status).toBe(200);
  });

  it("is over by name, or everywhere, for whoever has the token or another sign-in", async () => {
    const [one, two, three] = [await signIn(app), await signIn(app), await signIn(app)];
    const nameOf = (pair: string) => pair.replace("keybeat_admin=", "").split(".")[0] as string;
    const holds = async (who: { pair: string }) =>
      (await callerWith(beside, { Cookie: who.pair }).get("/me")).status === 200;
    const named = await two.caller.post("/sign-out", { sign_in: nameOf(one.pair) });
    expect([named.status, named.headers.get("set-cookie")]).toEqual([200, null]);
    expect([await holds(one), await holds(two), await holds(three)]).toEqual([false, true, true]);
    expect((await byToken(app).post("/sign-out", { everywhere: true })).status).toBe(200);
    expect([await holds(two), await holds(three)]).toEqual([false, false]);
    expect(await holds(await signIn(app))).toBe(true);
    expect((await byToken(app).post("/sign-out", { sign_in: "*" })).status).toBe(400);
  });

  it("ends what it looks on at, in another process too, and no one else's", async () => {
    const mine = await signIn(app);
    const other = await signIn(app);
    const streams = await Promise.all([mine, other].map(({ pair }) => lookOn(beside, { Cookie: pair })));
    await mine.caller.post("/sign-out");
    await streams[0]?.next("again");
    expect(streams[1]?.seen.some(({ event }) => event === "again")).toBe(false);
    for (const stream of streams) stream.stop();
  });

  it("is forgotten by the cleanup when the cookie would be over by itself", async () => {
    const { caller } = await signIn(app);
    await caller.post("/sign-out");
    const count = async () => (await db.sql`SELECT FROM ended_sign_ins`).length;
    const log = createLog("silent", { write: () => {} });
    const clean = () => runCleanup(db.database, log, { historyRetentionDays: 90, budgetMs: 10_000, asked: false });
    await clean();
    expect(await count()).toBeGreaterThan(0);
    await db.sql`UPDATE ended_sign_ins SET ended_at = ended_at - interval '49 hours'`;
    await clean();
    expect(await count()).toBe(0);
  });

  it("does not take a cookie that was prolonged, made by another token, or has run out", async () => {
    const { pair } = await signIn(app);
    const [name, until, signature] = pair.replace("keybeat_admin=", "").split(".") as [string, string, string];
    const signed = (token: string, payload: string) => {
      const key = createHmac("sha256", token).update("keybeat page sign-in").digest();
      return `${payload}.${createHmac("sha256", key).update(payload).digest("base64url")}`;
    };
    expect(`${name}.${until}.${signature}`).toBe(signed(ADMIN_TOKEN, `${name}.${until}`));
    const cookies = [
      `${name}.${Number(until) + 1}.${signature}`,
      `${name}.${until}.`,
      signed("another token", `${name}.${until}`),
      signed(ADMIN_TOKEN, `${name}.${Date.now() - 1}`),
    ];
    for (const cookie of cookies) {
      expect((await callerWith(app, { Cookie: `keybeat_admin=${cookie}` }).get("/me")).status).toBe(401);
    }
  });

  it("holds in another process with the same token", async () => {
    const { pair, csrf } = await signIn(app);
    const other = await readReply(await fetch(`${beside.url}/api/admin/me`, { headers: { Cookie: pair } }));
    expect(other.body).toMatchObject({ by: "page", csrf_token: csrf });
  });
});

const beside = useApp(db);

describe("a change by the page's cookie", () => {
  it.each(CHANGES)(
    "%s %s is refused without its CSRF token, with a wrong one, or from elsewhere",
    async (method, path) => {
      const { pair, csrf } = await signIn(app);
      const other = await signIn(app);
      const before = await state();
      const attempts: Array<Record<string, string>> = [
        {},
        { "X-CSRF-Token": "" },
        { "X-CSRF-Token": "wrong" },
        { "X-CSRF-Token": other.csrf },
        { "X-CSRF-Token": csrf, Origin: "https://evil.example" },
        { "X-CSRF-Token": csrf, Origin: "null" },
      ];
      for (const headers of attempts) {
        const reply = await callerWith(app, { Cookie: pair, ...headers }).send(method, path, bodyOf(method));
        expect([reply.status, reply.body.code]).toEqual([403, "csrf_failed"]);
      }
      expect(await state()).toEqual(before);
    },
  );

  it("passes with the token, from the page's own origin", async () => {
    const { pair, csrf } = await signIn(app);
    const headers = { Cookie: pair, "X-CSRF-Token": csrf, Origin: app.url };
    expect((await callerWith(app, headers).post("/keys", {})).status).toBe(201);
  });

  it("needs no CSRF token to read", async () => {
    const { pair } = await signIn(app);
    expect((await callerWith(app, { Cookie: pair }).get("/keys")).status).toBe(200);
  });

  it("does not count beside a wrong token", async () => {
    const { pair, csrf } = await signIn(app);
    const headers = { Cookie: pair, "X-CSRF-Token": csrf, Authorization: "Bearer wrong" };
    expect((await callerWith(app, headers).get("/me")).status).toBe(401);
  });
});
