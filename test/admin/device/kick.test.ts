import { describe, expect, it } from "vitest";
import { newSessionId } from "../../support/secrets.ts";
import { watch } from "../../support/watch.ts";
import { useAdmin } from "../support/admin.ts";

const { db, app, token, start } = useAdmin();
const ENDED = { success: true, session_ended: true, lease_freed: false };
const NEITHER = { success: false, session_ended: false, lease_freed: false };

describe("POST /api/admin/sessions/kick", () => {
  it("ends the session, tells its stream and its next heartbeat the reason, and leaves the key good", async () => {
    const { key, id } = await db.makeKey();
    const session_id = newSessionId();
    await start(key, session_id);
    const watched = await watch(app.url, session_id);
    const reply = await token().post("/sessions/kick", { key_id: id, reason: "Please call support: 0123 ☎" });
    expect([reply.status, reply.body]).toEqual([200, ENDED]);
    const told = await watched.done;
    expect(told?.event).toBe("revoked");
    expect(told?.data).toMatchObject({ code: "session_revoked", reason: "Please call support: 0123 ☎" });
    const beat = await app.post("/api/session/heartbeat", { session_id });
    expect(beat.status).toBe(410);
    expect(beat.body).toMatchObject({ reason: "Please call support: 0123 ☎", ended_at: told?.data.ended_at });
    expect((await watch(app.url, session_id)).events[0]?.data.reason).toBe("Please call support: 0123 ☎");
    expect((await start(key)).status).toBe(200);
    const [entry] = (await token().get("/audit?limit=1")).body.items;
    expect(entry).toMatchObject({
      action: "session_kicked",
      key_id: id,
      who: "token",
      details: { reason: "Please call support: 0123 ☎" },
    });
  });

  it("says no reason where none was given", async () => {
    for (const reason of [undefined, null, ""]) {
      const { key, id } = await db.makeKey();
      const session_id = newSessionId();
      await start(key, session_id);
      expect((await token().post("/sessions/kick", { key_id: id, reason })).body).toEqual(ENDED);
      const { body } = await app.post("/api/session/heartbeat", { session_id });
      expect([body.code, "reason" in body]).toEqual(["session_revoked", false]);
    }
  });

  it("with a generation ends that session only, never one that started since", async () => {
    const { key, id } = await db.makeKey();
    const first = (await start(key)).body.generation;
    const session_id = newSessionId();
    const second = (await start(key, session_id)).body.generation;
    expect((await token().post("/sessions/kick", { key_id: id, generation: first })).body).toEqual(NEITHER);
    expect((await app.post("/api/session/heartbeat", { session_id })).status).toBe(200);
    expect((await token().post("/sessions/kick", { key_id: id, generation: second })).body).toEqual(ENDED);
    expect((await app.post("/api/session/heartbeat", { session_id })).status).toBe(410);
  });

  it("says false, and writes nothing down, where nobody is live", async () => {
    const free = await db.makeKey();
    const silent = await db.makeKey();
    const session_id = newSessionId();
    await start(silent.key, session_id);
    await db.age(silent.id, 61);
    const [before] = await db.sql`SELECT count(*) AS n FROM audit_log`;
    for (const key_id of [free.id, silent.id, 999_999_999]) {
      expect((await token().post("/sessions/kick", { key_id, reason: "too late" })).body).toEqual(NEITHER);
    }
    expect((await app.post("/api/session/heartbeat", { session_id })).body.code).toBe("session_expired");
    expect((await db.sql`SELECT count(*) AS n FROM audit_log`)[0]).toEqual(before);
  });

  it.each([
    [{}],
    [{ key_id: "1" }],
    [{ key_id: 0 }],
    [{ key_id: 1.5 }],
    [{ key_id: 1, generation: -1 }],
    [{ key_id: 1, reason: "r".repeat(201) }],
    [{ key_id: 1, reason: "\0" }],
    [{ key_id: 1, reason: 1 }],
  ])("refuses %j", async (body) => {
    const reply = await token().post("/sessions/kick", body);
    expect([reply.status, reply.body.code]).toEqual([400, "invalid_request"]);
  });
});

describe("what devices and strangers are told", () => {
  it("holds nothing of the administration: no label, no key's id, no note of an operator to others", async () => {
    const { key, id } = await db.makeKey({ label: "secret-customer-name" });
    const [first, second] = [newSessionId(), newSessionId()];
    const replies = [await start(key, first, { name: "A" }), await start(key, second, { name: "B" })];
    await token().post("/sessions/kick", { key_id: id, reason: "only-for-the-kicked" });
    const kicked = await app.post("/api/session/heartbeat", { session_id: second });
    expect(JSON.stringify(kicked.body)).toContain("only-for-the-kicked");
    replies.push(
      await app.post("/api/session/heartbeat", { session_id: first }),
      await app.post("/api/session/status", { access_key: key }),
      await start(key, second),
      await start(key),
      await app.get("/health"),
      await app.get("/api/nothing"),
    );
    for (const { body } of replies) {
      const text = JSON.stringify(body);
      expect(text).not.toMatch(/secret-customer-name|only-for-the-kicked|key_id|audit|admin/);
    }
    expect(replies.map((reply) => reply.status)).toEqual([200, 200, 410, 200, 409, 200, 200, 404]);
  });
});
