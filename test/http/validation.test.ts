/** Every route gets the same hostile questions, from one table. */
import { describe, expect, it } from "vitest";
import { useApp } from "../support/app.ts";
import { useDatabase } from "../support/database.ts";
import { newAccessKey, newSessionId } from "../support/secrets.ts";

const db = useDatabase();
const app = useApp(db);

const SESSION_ID = newSessionId();
const KEY = newAccessKey();

interface Route {
  path: string;
  /** A body that passes the checks. */
  valid: Record<string, unknown>;
  required: string[];
  /** field -> values that must be refused */
  wrong: Record<string, unknown[]>;
}

const sessionIds = [
  "",
  "short",
  "x".repeat(129),
  "has space in it 12",
  "ünïcodeünïcode12",
  `${SESSION_ID}\0`,
  1,
  {},
  [],
  true,
];
const accessKeys = [
  "",
  " \ufeff\u200b\u00a0\n",
  "k".repeat(513),
  "\0".repeat(40),
  "a key with a \0 in it",
  "\ud800 and a half",
  1,
  {},
  [],
  null,
  true,
];
const ROUTES: Route[] = [
  {
    path: "/api/session/start",
    valid: { access_key: KEY, session_id: SESSION_ID },
    required: ["access_key"],
    wrong: {
      access_key: accessKeys,
      session_id: sessionIds,
      device: ["a name", 1, [], { name: 1 }, { name: "\0" }, { name: `${"n".repeat(99)}\0` }, { app_version: {} }],
      on_conflict: ["", "kill", 1, {}],
      expected_generation: [-1, 1.5, "7", {}, 2 ** 53],
    },
  },
  {
    path: "/api/session/heartbeat",
    valid: { session_id: SESSION_ID },
    required: ["session_id"],
    wrong: { session_id: [...sessionIds, null] },
  },
  {
    path: "/api/session/end",
    valid: { session_id: SESSION_ID },
    required: ["session_id"],
    wrong: { session_id: [...sessionIds, null] },
  },
  {
    path: "/api/session/status",
    valid: { access_key: KEY },
    required: ["access_key"],
    wrong: { access_key: accessKeys, session_id: sessionIds },
  },
];

async function count(): Promise<number> {
  const [row] = await db.sql`
    SELECT (SELECT count(*) FROM active_sessions) + (SELECT count(*) FROM session_history) + (SELECT count(*) FROM keys) AS n`;
  return row?.n;
}

describe.each(ROUTES)("POST $path", ({ path, valid, required, wrong }) => {
  it("takes its valid body past the checks, with unknown fields in it", async () => {
    const { status } = await app.post(path, { ...valid, unknown: { deeply: ["ignored"] }, __proto__: { a: 1 } });
    expect([200, 403, 404]).toContain(status);
  });

  it("refuses missing and wrong fields with 400, names them, and changes nothing", async () => {
    const before = await count();
    const bodies: Array<[string, unknown]> = [
      ...required.map((field): [string, unknown] => [field, { ...valid, [field]: undefined }]),
      ...Object.entries(wrong).flatMap(([field, values]) =>
        values.map((value): [string, unknown] => [field, { ...valid, [field]: value }]),
      ),
      ...["text", 1, [], null, true].map((body): [string, unknown] => ["", JSON.stringify(body)]),
    ];
    for (const [field, body] of bodies) {
      const reply = await app.post(path, body);
      expect({ body, status: reply.status, code: reply.body.code }).toEqual({
        body,
        status: 400,
        code: "invalid_request",
      });
      expect(reply.body.issues.some((issue: { path: string }) => issue.path.split(".")[0] === field)).toBe(true);
      expect(reply.body.error).toBeTypeOf("string");
      expect(reply.body.request_id).toBe(reply.headers.get("x-request-id"));
    }
    expect(await count()).toBe(before);
  });

  it("refuses broken JSON with 400", async () => {
    for (const text of ["", "{", '{"a":}', "\0", "{'a':1}", '{"a":1}x', "[".repeat(8000)]) {
      const { status, body } = await app.post(path, text);
      expect([text.slice(0, 9), status, body.code, body.issues.length]).toEqual([
        text.slice(0, 9),
        400,
        "invalid_request",
        1,
      ]);
    }
  });

  it("refuses any other content type with 415", async () => {
    for (const type of [
      "text/plain",
      "application/x-www-form-urlencoded",
      "application/jsonp",
      "multipart/form-data",
      "",
    ]) {
      const { status, body } = await app.post(path, valid, { "Content-Type": type });
      expect([type, status, body.code]).toEqual([type, 415, "unsupported_media_type"]);
    }
    for (const type of ["application/json; charset=utf-8", "Application/JSON", "application/json ;x=y"]) {
      expect((await app.post(path, valid, { "Content-Type": type })).status).not.toBe(415);
    }
  });

  it("takes 16 KiB and refuses a byte more with 413, also in chunks without a length", async () => {
    const padded = (bytes: number) => {
      const bare = JSON.stringify({ ...valid, pad: "" });
      return JSON.stringify({ ...valid, pad: "x".repeat(bytes - bare.length) });
    };
    expect((await app.post(path, padded(16_384))).status).not.toBe(413);
    const over = padded(16_385);
    const declared = await app.post(path, over, { "Content-Length": String(over.length) });
    expect([declared.status, declared.body.code]).toEqual([413, "payload_too_large"]);
    const chunked = await app.fetch(
      new Request(`http://test${path}`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: new Blob([over]).stream(),
        duplex: "half",
      } as RequestInit),
    );
    expect(chunked.status).toBe(413);
  });

  it("answers other methods with 405 and what it allows", async () => {
    for (const method of ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
      const reply = await app.fetch(new Request(`http://test${path}`, { method }));
      expect([method, reply.status, reply.headers.get("allow")]).toEqual([method, 405, "POST"]);
      expect(((await reply.json()) as { code: string }).code).toBe("method_not_allowed");
    }
  });
});

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
      const { status, body } = await app.post("/api/session/end", { session_id: SESSION_ID });
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
