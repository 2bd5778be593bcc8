import { describe, expect, it } from "vitest";
import { newSessionId } from "../../support/secrets.ts";
import { watch } from "../../support/watch.ts";
import { useAdmin } from "../support/admin.ts";

const { db, app, token, start } = useAdmin();

describe("DELETE /api/admin/keys/{id}", () => {
  it("erases the key and all that is known of its devices, from every table, and tells the live one", async () => {
    const { key, id } = await db.makeKey({ label: "Erika Mustermann" });
    const device = { name: "Erikas-Laptop", platform: "darwin" };
    const [first, last] = [newSessionId(), newSessionId()];
    await start(key, first, device);
    await start(key, last, device);
    await token().send("PATCH", `/keys/${id}`, { label: "Erika M." });
    const watched = await watch(app.url, last);

    const reply = await token().send("DELETE", `/keys/${id}`);
    expect([reply.status, reply.body]).toEqual([200, { success: true }]);
    expect((await watched.done)?.event).toBe("revoked");
    expect((await app.post("/api/session/heartbeat", { session_id: last })).body.code).toBe("session_revoked");
    expect((await app.post("/api/session/heartbeat", { session_id: first })).status).toBe(404);
    expect((await start(key)).body.code).toBe("invalid_key");
    expect((await token().get(`/keys/${id}`)).status).toBe(404);

    const tables = await db.sql`SELECT tablename FROM pg_tables WHERE schemaname = 'public'`;
    for (const { tablename } of tables) {
      const text = JSON.stringify(await db.sql`SELECT t::text FROM ${db.sql(tablename)} t`);
      expect([tablename, /Erika|darwin/i.test(text), text.includes(key.slice(0, 8))]).toEqual([
        tablename,
        false,
        false,
      ]);
    }
    const entries = await db.sql`SELECT action, details FROM audit_log WHERE key_id = ${id} ORDER BY id`;
    expect(entries.map((entry) => [entry.action, entry.details])).toEqual([
      ["key_created", null],
      ["key_changed", null],
      ["key_erased", null],
    ]);
  });

  it("keeps other keys and their history", async () => {
    const [gone, other] = [await db.makeKey(), await db.makeKey({ label: "stays" })];
    const session_id = newSessionId();
    await start(other.key, session_id);
    await start(other.key);
    await token().send("DELETE", `/keys/${gone.id}`);
    expect((await token().get(`/keys/${other.id}`)).body.label).toBe("stays");
    expect((await app.post("/api/session/heartbeat", { session_id })).body.code).toBe("session_replaced");
  });

  it("leaves no session to a start that comes at the same time", async () => {
    for (let round = 0; round < 10; round++) {
      const { key, id } = await db.makeKey();
      const [erased, ...starts] = await Promise.all([
        token().send("DELETE", `/keys/${id}`),
        ...[1, 2, 3, 4].map(() => start(key)),
      ]);
      expect(erased?.status).toBe(200);
      for (const reply of starts) expect([200, 403]).toContain(reply.status);
      expect(await db.sql`SELECT FROM active_sessions WHERE key_id = ${id}`).toHaveLength(0);
      const left = await db.sql`SELECT reason, access_key FROM session_history WHERE key_id = ${id}`;
      expect(left.length).toBeLessThanOrEqual(1);
      for (const row of left) expect(row).toEqual({ reason: "revoked", access_key: "…" });
    }
  });
});
