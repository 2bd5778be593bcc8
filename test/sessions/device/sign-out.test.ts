import { describe, expect, it } from "vitest";
import { createKey } from "../../../src/keys/index.ts";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { BY } from "../../support/operator.ts";
import { newAccessKey, newSessionId } from "../../support/secrets.ts";

const db = useDatabase();
const app = useApp(db);
const limited = useApp(db, { env: { LIMIT_STARTS: "3" } });
const guarded = useApp(db, { env: { LIMIT_UNKNOWN_KEYS: "2" } });
const off = useApp(db, { env: { KEY_PAGE: "off" } });

const NOTE = "Signed out by the owner of the key";

const start = async (access_key: string, more: object = {}) => {
  const session_id = newSessionId();
  const { body } = await app.post("/api/session/start", { access_key, session_id, ...more });
  return { session_id, generation: body.generation as number };
};
const signOut = (access_key: string, expected_generation: number, by = app) =>
  by.post("/api/session/sign-out", { access_key, expected_generation });
const beat = (session_id: string) => app.post("/api/session/heartbeat", { session_id });
const reasonsOf = (keyId: number) =>
  db.sql`SELECT reason, note FROM session_history WHERE key_id = ${keyId} ORDER BY generation`;

describe("POST /api/session/sign-out", () => {
  it("ends the device that holds the key, which is told why, and frees the key", async () => {
    const { key, id } = await db.makeKey();
    const { session_id, generation } = await start(key);
    const watch = await app.fetch(
      new Request("http://service/api/session/watch", { headers: { Authorization: `Bearer ${session_id}` } }),
    );
    const done = await signOut(key, generation);
    expect(done).toMatchObject({ status: 200, body: { success: true } });
    expect(done.headers.get("cache-control")).toBe("no-store");
    expect(await beat(session_id)).toMatchObject({ status: 410, body: { code: "session_ended", reason: NOTE } });
    const told = await watch.text();
    expect(told).toContain("event: ended");
    expect(told).toContain(`"reason":"${NOTE}"`);
    expect((await app.post("/api/session/status", { access_key: key })).body).toEqual({ active: false });
    expect(await reasonsOf(id)).toEqual([{ reason: "ended", note: NOTE }]);
    expect((await signOut(key, generation)).body).toEqual({ success: false });
    expect(await reasonsOf(id)).toHaveLength(1);
  });

  it("never ends a session that started since", async () => {
    const { key } = await db.makeKey();
    const before = await start(key);
    const after = await start(key, { device: { name: "Office PC" } });
    const refused = await signOut(key, before.generation);
    expect(refused).toMatchObject({
      status: 409,
      body: { code: "holder_changed", holder: { generation: after.generation, device: { name: "Office PC" } } },
    });
    expect(JSON.stringify(refused.body)).not.toContain(after.session_id.slice(0, 8));
    expect((await beat(after.session_id)).status).toBe(200);
  });

  it("does nothing where nobody is live, and does not turn an expired session into an ended one", async () => {
    const { key, id } = await db.makeKey();
    expect(await signOut(key, 1)).toMatchObject({ status: 200, body: { success: false } });
    const { session_id, generation } = await start(key);
    await db.age(id, 61);
    expect((await signOut(key, generation)).body).toEqual({ success: false });
    const { body } = await beat(session_id);
    expect(body).toMatchObject({ code: "session_expired" });
    expect(body.reason).toBeUndefined();
  });

  it("can do no more than a takeover: an unknown, an expired and a revoked key sign nobody out", async () => {
    const [expired, revoked] = await Promise.all([db.makeKey(), db.makeKey()]);
    const { session_id, generation } = await start(expired.key);
    await db.sql`UPDATE keys SET expires_at = clock_timestamp() WHERE id = ${expired.id}`;
    await db.sql`UPDATE keys SET revoked_at = clock_timestamp() WHERE id = ${revoked.id}`;
    for (const [key, code] of [
      [newAccessKey(), "invalid_key"],
      [expired.key, "key_expired"],
      [revoked.key, "key_revoked"],
    ] as const) {
      expect(await signOut(key, generation)).toMatchObject({ status: 403, body: { code } });
    }
    expect((await beat(session_id)).status).toBe(200);
  });

  it("takes a key as a person types it", async () => {
    const { access_key: key, id } = await createKey(db.database, db.hashKey, {}, BY);
    const { generation } = await start(key);
    const typed = ` ${key.toUpperCase().replaceAll("0", "O")}\n`;
    expect((await signOut(typed, generation)).body).toEqual({ success: true });
    expect(await reasonsOf(id)).toHaveLength(1);
  });

  it("fills the history no faster than starts may: at the limit it waits as they do, and a wrong guess counts", async () => {
    const { key, id } = await db.makeKey();
    for (let n = 0; n < 3; n++) expect((await signOut(key, (await start(key)).generation, limited)).status).toBe(200);
    const { session_id, generation } = await start(key);
    const late = await signOut(key, generation, limited);
    expect(late).toMatchObject({ status: 429, body: { code: "rate_limited" } });
    expect(Number(late.headers.get("retry-after"))).toBeGreaterThan(50);
    expect((await limited.post("/api/session/start", { access_key: key })).status).toBe(429);
    expect((await beat(session_id)).status).toBe(200);
    await db.sql`UPDATE session_history SET ended_at = ended_at - interval '61 seconds'
                 WHERE key_id = ${id} AND generation = (SELECT min(generation) FROM session_history WHERE key_id = ${id})`;
    expect((await signOut(key, generation, limited)).body).toEqual({ success: true });
  });

  it("limits an address that tries keys, here and for the history", async () => {
    const codes = [];
    for (const path of ["sign-out", "history", "sign-out", "history"]) {
      const body = { access_key: newAccessKey(), expected_generation: 1 };
      const headers = { "X-Forwarded-For": "192.0.2.7" };
      const url = `${guarded.url}/api/session/${path}`;
      const sent = await fetch(url, {
        method: "POST",
        body: JSON.stringify(body),
        headers: { ...headers, "Content-Type": "application/json" },
      });
      codes.push(((await sent.json()) as { code: string }).code);
    }
    expect(codes).toEqual(["invalid_key", "invalid_key", "rate_limited", "rate_limited"]);
  });

  it("of a sign-out and a start at once leaves one story: the new session is never the one signed out", async () => {
    for (let n = 0; n < 20; n++) {
      const { key, id } = await db.makeKey();
      const { generation } = await start(key);
      const [out, started] = await Promise.all([
        signOut(key, generation),
        app.post("/api/session/start", { access_key: key }),
      ]);
      expect(started.status).toBe(200);
      expect((await beat(started.body.session_id)).status).toBe(200);
      const outFirst = out.status === 200;
      expect(out.body).toMatchObject(outFirst ? { success: true } : { code: "holder_changed" });
      expect(started.body.previous_session_terminated).toBe(!outFirst);
      expect((await reasonsOf(id)).map(({ reason }) => reason)).toEqual([outFirst ? "ended" : "replaced"]);
    }
  });

  it("is not there with KEY_PAGE=off, and nor are the history and the page", async () => {
    const { key } = await db.makeKey();
    const { session_id, generation } = await start(key);
    expect((await signOut(key, generation, off)).status).toBe(404);
    expect((await off.post("/api/session/history", { access_key: key })).status).toBe(404);
    for (const path of ["/key", "/key/page.js", "/key/page.css"]) expect((await off.get(path)).status).toBe(404);
    expect((await beat(session_id)).status).toBe(200);
  });
});
