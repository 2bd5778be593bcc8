/** Which web pages may call, over real HTTP. */
import { describe, expect, it } from "vitest";
import { ADMIN_TOKEN, postInit, useApp } from "../support/app.ts";
import { useDatabase } from "../support/database.ts";
import { newAccessKey, newSessionId } from "../support/secrets.ts";

const PAGE = "https://app.example";
const db = useDatabase();
const closed = useApp(db);
const listed = useApp(db, { adminToken: ADMIN_TOKEN, corsOrigins: [PAGE, "http://localhost:5173"] });
const open = useApp(db, { adminToken: ADMIN_TOKEN, corsOrigins: ["*"] });

const ALLOW = "access-control-allow-origin";
const beat = (url: string, origin: string) =>
  fetch(`${url}/api/session/heartbeat`, postInit({ session_id: newSessionId() }, { Origin: origin }));
const preflight = (url: string, path: string, origin: string) =>
  fetch(url + path, {
    method: "OPTIONS",
    headers: {
      Origin: origin,
      "Access-Control-Request-Method": "POST",
      "Access-Control-Request-Headers": "content-type",
    },
  });

describe("which pages may call", () => {
  it("lets no other page read an answer unless told to", async () => {
    expect((await beat(closed.url, PAGE)).headers.get(ALLOW)).toBeNull();
    const asked = await preflight(closed.url, "/api/session/start", PAGE);
    expect([asked.status, asked.headers.get(ALLOW)]).toEqual([405, null]);
  });

  it("lets the pages of the list read answers and errors, and no others", async () => {
    const answer = await beat(listed.url, PAGE);
    expect([answer.status, answer.headers.get(ALLOW)]).toEqual([404, PAGE]);
    expect(answer.headers.get("access-control-expose-headers")).toBe("X-Request-Id,Retry-After,Keybeat-Signature");
    expect(answer.headers.get("vary")).toContain("Origin");
    expect(answer.headers.get("x-request-id")).toMatch(/^[\w-]{36}$/);
    for (const other of ["https://app.example.evil", "http://app.example", "null"]) {
      expect((await beat(listed.url, other)).headers.get(ALLOW)).toBeNull();
    }
    const refused = await fetch(
      `${listed.url}/api/session/start`,
      postInit({ access_key: newAccessKey() }, { Origin: PAGE }),
    );
    expect([refused.status, refused.headers.get(ALLOW)]).toEqual([403, PAGE]);
  });

  it("answers a preflight, with no cookies allowed", async () => {
    const asked = await preflight(listed.url, "/api/session/start", PAGE);
    expect([asked.status, asked.headers.get(ALLOW)]).toEqual([204, PAGE]);
    expect(asked.headers.get("access-control-allow-headers")).toContain("Content-Type");
    expect(asked.headers.get("access-control-allow-credentials")).toBeNull();
    const other = await preflight(listed.url, "/api/session/start", "https://evil.example");
    expect(other.headers.get(ALLOW)).toBeNull();
  });

  it("lets every page call with *, but none at the admin's routes", async () => {
    expect((await beat(open.url, "https://anything.example")).headers.get(ALLOW)).toBe("*");
    const admin = await fetch(`${open.url}/api/admin/cleanup-sessions`, {
      method: "POST",
      headers: { Origin: PAGE, Authorization: `Bearer ${ADMIN_TOKEN}` },
    });
    expect([admin.status, admin.headers.get(ALLOW)]).toEqual([200, null]);
    expect((await preflight(open.url, "/api/admin/cleanup-sessions", PAGE)).headers.get(ALLOW)).toBeNull();
  });

  it("forbids guessing types and framing on answers, errors and unknown paths", async () => {
    for (const path of ["/health", "/nowhere", "/api/session/start"]) {
      const { headers } = await fetch(closed.url + path);
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("x-frame-options")).toBe("DENY");
      expect(headers.get("referrer-policy")).toBe("no-referrer");
    }
  });
});
