/** What the pages of other sites can do in a browser that is here, by the described routes: nothing. */
import { request } from "node:http";
import { describe, expect, it } from "vitest";
import { readConfig } from "../../src/config.ts";
import { ADMIN_TOKEN, useApp } from "../support/app.ts";
import { useDatabase } from "../support/database.ts";
import { codeOf } from "../support/error-words.ts";
import { addressOf, ROUTES } from "../support/routes.ts";

const PAGE = "https://app.example";
const db = useDatabase();
const app = useApp(db);
const listed = useApp(db, { adminToken: ADMIN_TOKEN, corsOrigins: [PAGE] });
const open = useApp(db, { adminToken: ADMIN_TOKEN, corsOrigins: ["*"] });
const local = useApp(db, { adminToken: ADMIN_TOKEN, allowedHosts: ["keys.example.com"] });

/** Routes by which anybody can change something. */
const OPEN = ROUTES.filter(({ method, access }) => method !== "get" && access !== "operator").map((route) => ({
  method: route.method.toUpperCase(),
  path: addressOf(route),
}));

const take = (url: string) =>
  fetch(`${url}/api/v1/session/create`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ user_id: "jun", session_id: "s" }),
  });
const places = async () => (await db.sql`SELECT FROM waiting_room_places`).length;

describe("a page of another site", () => {
  it.each(OPEN)("has no way by $method $path that a browser does not ask about first", async ({ method, path }) => {
    await take(app.url);
    const before = await places();
    const attempts: Array<Record<string, string>> = [
      { Origin: "https://evil.example", "Sec-Fetch-Site": "cross-site" },
      { Origin: "https://evil.example" },
      { Origin: "null", "Sec-Fetch-Site": "cross-site" },
      { "Sec-Fetch-Site": "cross-site" },
      { "Sec-Fetch-Site": "same-site" },
      { Origin: "http://127.0.0.1:1", "Sec-Fetch-Site": "same-site" },
      { Origin: "https://evil.example", Host: "evil.example.com" },
    ];
    const body = JSON.stringify({ user_id: "eve", session_id: "s", token: ADMIN_TOKEN });
    for (const headers of attempts) {
      for (const type of ["text/plain", "application/x-www-form-urlencoded", undefined]) {
        const sent = {
          method,
          headers: { ...headers, ...(type && { "Content-Type": type }) },
          body: type ? body : null,
        };
        const { status } = await fetch(app.url + path, sent);
        expect([headers, type, [403, 415].includes(status)]).toEqual([headers, type, true]);
      }
    }
    expect(await places()).toBe(before);
  });

  it("is told so, with a code", async () => {
    const response = await fetch(`${app.url}/api/v1/session/close/jun`, { method: "POST", headers: { Origin: PAGE } });
    expect([response.status, codeOf(await response.json())]).toEqual([403, "csrf_failed"]);
  });
});

describe("a page that may", () => {
  const close = async (url: string, headers: Record<string, string>) =>
    (await fetch(`${url}/api/v1/session/close/jun?grace_seconds=20`, { method: "POST", headers })).status;

  it("be it of the service's own origin, also behind a proxy that asks by another name, or none at all", async () => {
    expect(await close(app.url, { Origin: app.url, "Sec-Fetch-Site": "same-origin" })).toBe(200);
    expect(await close(app.url, { Origin: app.url })).toBe(200);
    expect(await close(app.url, { Origin: "https://keys.example", "Sec-Fetch-Site": "same-origin" })).toBe(200);
    expect(await close(app.url, { Origin: "https://keys.example", "X-Forwarded-Host": "keys.example" })).toBe(200);
    expect(await close(app.url, {})).toBe(200);
  });

  it("be it of an origin in CORS_ORIGINS, as the widget sends its goodbye", async () => {
    expect(await close(listed.url, { Origin: PAGE, "Sec-Fetch-Site": "cross-site" })).toBe(200);
    expect(await close(listed.url, { Origin: "https://evil.example", "Sec-Fetch-Site": "cross-site" })).toBe(403);
    expect(await close(open.url, { Origin: "null", "Sec-Fetch-Site": "cross-site" })).toBe(200);
  });
});

describe("a name that was bent to this machine", () => {
  const ask = (url: string, path: string, host: string | undefined) =>
    new Promise<{ status: number; text: string }>((resolve, reject) => {
      const headers = host === undefined ? {} : { Host: host };
      const { port } = new URL(url);
      const sent = request({ port, host: "127.0.0.1", path, headers, setHost: false }, async (response) => {
        let text = "";
        for await (const part of response) text += part;
        resolve({ status: response.statusCode as number, text });
      });
      sent.on("error", reject).end();
    });

  it("reads nothing, and who set it up on purpose is told what to set", async () => {
    for (const host of [
      "evil.example",
      "evil.example:3000",
      "localhost.evil.example",
      "127.0.0.1.evil.example",
      "0",
      "[::2]",
    ]) {
      for (const path of ["/metrics", "/health", "/openapi.json", "/admin", "/api/v1/session/status"]) {
        const { status, text } = await ask(local.url, path, host);
        expect([host, path, status]).toEqual([host, path, 403]);
        expect(text).toContain("ALLOWED_HOSTS");
      }
    }
  });

  it("is not this machine's own, nor one that is set", async () => {
    const { port } = new URL(local.url);
    for (const name of [
      "localhost",
      "127.0.0.1",
      "127.8.9.1",
      "[::1]",
      "LOCALHOST",
      "my-laptop",
      "keys.example.com",
      "keys.example.com.",
    ]) {
      for (const host of [name, `${name}:${port}`]) {
        expect([host, (await ask(local.url, "/metrics", host)).status]).toEqual([host, 200]);
      }
    }
    expect((await ask(app.url, "/metrics", "any.example")).status).toBe(200);
  });

  it("is looked for with the embedded database, where nobody else can come in, unless a proxy stands in front", () => {
    const of = (env: Record<string, string>) => readConfig(env).allowedHosts;
    const url = "postgres://u@h/d";
    expect(of({})).toEqual([]);
    for (const HOST of ["localhost", "::1", "127.0.0.1"]) {
      expect(of({ HOST })).toEqual([]);
      expect(of({ HOST, DATABASE_URL: url })).toBeUndefined();
    }
    expect(of({ HOST: "0.0.0.0" })).toBeUndefined();
    expect(of({ TRUST_PROXY: "1" })).toBeUndefined();
    expect(of({ ALLOWED_HOSTS: "*" })).toBeUndefined();
    expect(of({ ALLOWED_HOSTS: "Keys.example.com, [2001:db8::1]" })).toEqual(["keys.example.com", "[2001:db8::1]"]);
    for (const wrong of ["https://x.example", "x.example:3000", "a b", ",", "[::1"]) {
      expect(() => of({ ALLOWED_HOSTS: wrong })).toThrow("ALLOWED_HOSTS");
    }
  });
});
