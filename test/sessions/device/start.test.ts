import { describe, expect, it } from "vitest";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { newSessionId } from "../../support/secrets.ts";

const db = useDatabase();
const app = useApp(db);

const start = (body: Record<string, unknown>) => app.post("/api/session/start", body);

describe("POST /api/session/start", () => {
  it("starts a session on a free key, with everything the contract names", async () => {
    const { key } = await db.makeKey();
    const session_id = newSessionId();
    const { status, body } = await start({ access_key: key, session_id });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      success: true,
      session_id,
      resumed: false,
      expires_in: 60,
      previous_session_terminated: false,
      previous_session: null,
    });
    expect(body.heartbeat_in).toBeGreaterThanOrEqual(25);
    expect(body.heartbeat_in).toBeLessThanOrEqual(30);
    expect(Date.parse(body.expires_at) - Date.parse(body.server_time)).toBe(60_000);
    expect(body.started_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  it("makes up a UUID where the client sends no session id", async () => {
    const { key } = await db.makeKey();
    expect((await start({ access_key: key })).body.session_id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4/);
  });

  it("takes the key over and names the session that it ended, with its id masked", async () => {
    const { key } = await db.makeKey();
    const first = newSessionId();
    const a = await start({ access_key: key, session_id: first, device: { name: "Office PC" } });
    const b = await start({ access_key: key, session_id: newSessionId() });
    expect(b.body).toMatchObject({
      previous_session_terminated: true,
      previous_session: {
        session_id: `${first.slice(0, 8)}…`,
        started_at: a.body.started_at,
        device: { name: "Office PC" },
      },
    });
    expect(b.body.generation).toBeGreaterThan(a.body.generation);
  });

  it("names no previous session when the one before was already over", async () => {
    for (const over of ["ended", "expired"]) {
      const { key, id } = await db.makeKey();
      const first = newSessionId();
      const a = await start({ access_key: key, session_id: first });
      if (over === "ended") await app.post("/api/session/end", { session_id: first });
      else await db.age(id, 61);
      const b = await start({ access_key: key });
      expect(b.body).toMatchObject({ previous_session_terminated: false, previous_session: null });
      expect(b.body.generation).toBeGreaterThan(a.body.generation);
    }
  });

  it("gives the same session back for the same id while it is live, and counts it as a heartbeat", async () => {
    const { key, id } = await db.makeKey();
    const session_id = newSessionId();
    const a = await start({ access_key: key, session_id });
    await db.age(id, 50);
    const again = await start({ access_key: key, session_id, on_conflict: "refuse", expected_generation: 1 });
    expect(again.body).toMatchObject({ resumed: true, generation: a.body.generation, previous_session: null });
    await db.age(id, 50);
    expect((await app.post("/api/session/heartbeat", { session_id })).status).toBe(200);
  });

  it("refuses a replayed start after a takeover, without a second takeover", async () => {
    const { key } = await db.makeKey();
    const [first, second] = [newSessionId(), newSessionId()];
    await start({ access_key: key, session_id: first });
    await start({ access_key: key, session_id: second });
    const replay = await start({ access_key: key, session_id: first });
    expect([replay.status, replay.body.code]).toEqual([409, "session_id_used"]);
    expect((await app.post("/api/session/heartbeat", { session_id: second })).status).toBe(200);
  });

  it("refuses an id that has ended, has expired unswept, or lives under another key", async () => {
    const { key, id } = await db.makeKey();
    const other = await db.makeKey();
    const [ended, expired, elsewhere] = [newSessionId(), newSessionId(), newSessionId()];
    await start({ access_key: key, session_id: ended });
    await app.post("/api/session/end", { session_id: ended });
    await start({ access_key: key, session_id: expired });
    await db.age(id, 61);
    await start({ access_key: other.key, session_id: elsewhere });
    for (const session_id of [ended, expired, elsewhere]) {
      expect((await start({ access_key: key, session_id })).body.code).toBe("session_id_used");
    }
  });

  it("leaves the holder alone with on_conflict refuse, and says who it is", async () => {
    const { key } = await db.makeKey();
    const holder = newSessionId();
    const a = await start({ access_key: key, session_id: holder, device: { name: "A", platform: "linux" } });
    const b = await start({ access_key: key, on_conflict: "refuse" });
    expect(b.status).toBe(409);
    expect(b.body).toMatchObject({
      code: "key_in_use",
      holder: {
        generation: a.body.generation,
        started_at: a.body.started_at,
        device: { name: "A", platform: "linux" },
      },
    });
    expect(Object.keys(b.body.holder).sort()).toEqual(["device", "generation", "last_heartbeat", "started_at"]);
    expect((await app.post("/api/session/heartbeat", { session_id: holder })).status).toBe(200);
  });

  it("replaces by expected_generation only the holder that the caller has seen", async () => {
    const { key } = await db.makeKey();
    const a = await start({ access_key: key });
    const wrong = await start({ access_key: key, expected_generation: a.body.generation - 1 });
    expect([wrong.status, wrong.body.code, wrong.body.holder.generation]).toEqual([
      409,
      "holder_changed",
      a.body.generation,
    ]);
    const right = await start({ access_key: key, expected_generation: a.body.generation });
    expect(right.body.previous_session_terminated).toBe(true);
  });

  it("goes through with any expected_generation where nobody is live", async () => {
    const { key } = await db.makeKey();
    expect((await start({ access_key: key, expected_generation: 12345 })).status).toBe(200);
  });

  it("tells unknown, expired and revoked keys apart", async () => {
    const unknown = await start({ access_key: "no such key" });
    expect([unknown.status, unknown.body.code, unknown.body.error]).toEqual([403, "invalid_key", "Invalid access key"]);
    const expired = await db.makeKey({ expires: "2020-01-01" });
    expect((await start({ access_key: expired.key })).body.code).toBe("key_expired");
    const revoked = await db.makeKey();
    await db.sql`SELECT revoke_key(${revoked.id}, NULL)`;
    const refusal = await start({ access_key: revoked.key });
    expect([refusal.status, refusal.body.code]).toEqual([403, "key_revoked"]);
  });

  it("raises the generation over one that a restored backup has lost", async () => {
    const { key, id } = await db.makeKey();
    const before = await start({ access_key: key });
    await db.sql`UPDATE keys SET generation = 0 WHERE id = ${id}`;
    await db.sql`DELETE FROM active_sessions WHERE key_id = ${id}`;
    const after = await start({ access_key: key });
    expect(after.body.generation).toBeGreaterThan(before.body.generation);
    expect(Number.isSafeInteger(after.body.generation)).toBe(true);
  });

  it("raises the generation while the clock stands behind it", async () => {
    const { key, id } = await db.makeKey();
    const future = 4_000_000_000_000_000;
    await db.sql`UPDATE keys SET generation = ${future} WHERE id = ${id}`;
    expect((await start({ access_key: key })).body.generation).toBe(future + 1);
  });
});
