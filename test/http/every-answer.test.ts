import { describe, expect, it } from "vitest";
import { useApp } from "../support/app.ts";
import { useDatabase } from "../support/database.ts";
import { newSessionId } from "../support/secrets.ts";

const db = useDatabase();
const app = useApp(db);

describe("every answer", () => {
  it("is 404 not_found for an unknown path", async () => {
    for (const path of ["/", "/api", "/api/session", "/api/session/start/", "/api/session/%00", "/nope"]) {
      const { status, body } = await app.get(path);
      expect([path, status, body.code]).toEqual([path, 404, "not_found"]);
    }
  });

  it("takes over a sane X-Request-Id and replaces any other", async () => {
    const sent = async (id: string) =>
      (await app.get("/health/live", { "X-Request-Id": id })).headers.get("x-request-id");
    expect(await sent("trace-1.2:3")).toBe("trace-1.2:3");
    for (const id of ["has space", "x".repeat(129), "<script>", '"']) expect(await sent(id)).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("counts characters, not UTF-16 units, in a device's name", async () => {
    const { key } = await db.makeKey();
    const name = "🖥".repeat(100);
    expect((await app.post("/api/session/start", { access_key: key, device: { name } })).status).toBe(200);
    expect((await app.post("/api/session/status", { access_key: key })).body.session.device.name).toBe(name);
  });

  it("cuts what a device says of itself to whole characters, and never refuses it for its length", async () => {
    const { key } = await db.makeKey();
    const family = "👨‍👩‍👧";
    const CUT: Array<[sent: string, kept: string]> = [
      ["n".repeat(101), "n".repeat(100)],
      ["🖥".repeat(101), "🖥".repeat(100)],
      [`${"n".repeat(98)}${family}`, "n".repeat(98)],
      [`${"n".repeat(99)}e\u0301`, "n".repeat(99)],
      [`e${"\u0301".repeat(200)}`, `e${"\u0301".repeat(99)}`],
      ["half \ud800 of one", "half \ufffd of one"],
      [`${"n".repeat(100)}\ud83d`, "n".repeat(100)],
    ];
    for (const [name, kept] of CUT) {
      const device = { name, platform: "p".repeat(4_000), app_version: "v".repeat(51) };
      expect((await app.post("/api/session/start", { access_key: key, device })).status).toBe(200);
      const { session } = (await app.post("/api/session/status", { access_key: key })).body;
      expect(session.device).toEqual({ name: kept, platform: "p".repeat(50), app_version: "v".repeat(50) });
    }
  });

  it("finds a key of any characters, and keeps hostile text as text", async () => {
    for (const text of ["'; DROP TABLE keys; --", '<script>alert("x")</script>', "ключ 鍵 🔑", "\\x00", "%_"]) {
      const hash = db.hashKey(text);
      await db.sql`INSERT INTO keys (key_hash, key_prefix) VALUES (${hash}, 'hostile')`;
      const { status, body } = await app.post("/api/session/start", {
        access_key: text,
        device: { name: text },
      });
      expect([text, status, body.success]).toEqual([text, 200, true]);
      const seen = await app.post("/api/session/status", { access_key: text });
      expect(seen.body.session.device.name).toBe(text);
    }
  });

  it("says no more of an unexpected error than the request id", async () => {
    await db.sql`ALTER FUNCTION end_session(text) RENAME TO end_session_away`;
    try {
      const { status, body } = await app.post("/api/session/end", { session_id: newSessionId() });
      expect(status).toBe(500);
      expect(Object.keys(body).sort()).toEqual(["code", "error", "request_id"]);
      expect(body.code).toBe("internal_error");
      expect(body.error).not.toMatch(/end_session|function|sql/i);
      expect(app.log.some((line) => line.includes(body.request_id) && line.includes("42883"))).toBe(true);
    } finally {
      await db.sql`ALTER FUNCTION end_session_away(text) RENAME TO end_session`;
    }
  });
});
