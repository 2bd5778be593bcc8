import { describe, expect, it } from "vitest";
import { keyItem } from "../../../src/admin/keys/contract.ts";
import { newSessionId } from "../../support/secrets.ts";
import { watch } from "../../support/watch.ts";
import { exactly, useAdmin } from "../support/admin.ts";

const { db, app, token, start } = useAdmin();

describe("a key", () => {
  it("is shown with its live session, masked, and without one once that has fallen silent", async () => {
    const { key, id } = await db.makeKey({ label: "shown" });
    const session_id = newSessionId();
    const device = { name: "Office PC", platform: "win32" };
    const started = await start(key, session_id, device);
    const { body } = await token().get(`/keys/${id}`);
    const item = exactly(keyItem, body);
    expect(item).toEqual({
      id,
      access_key: `${key.slice(0, 8)}…`,
      label: "shown",
      created_at: expect.any(String),
      expires_at: null,
      revoked_at: null,
      leased_until: null,
      last_used_at: started.body.started_at,
      generation: started.body.generation,
      live: {
        session_id: `${session_id.slice(0, 8)}…`,
        started_at: started.body.started_at,
        last_heartbeat: started.body.started_at,
        device,
        with_proof: false,
        may_be_copied: false,
      },
    });
    await db.age(id, 61);
    expect((await token().get(`/keys/${id}`)).body.live).toBeNull();
  });

  it.each(["0", "999999999", "abc", "-1", "1.5", "99999999999999999999"])(
    "«%s» is unknown to every route",
    async (id) => {
      const replies = await Promise.all([
        token().get(`/keys/${id}`),
        token().send("PATCH", `/keys/${id}`, { label: "x" }),
        token().post(`/keys/${id}/revoke`),
        token().post(`/keys/${id}/restore`),
        token().send("DELETE", `/keys/${id}`),
      ]);
      for (const { status, body } of replies) expect([status, body.code]).toEqual([404, "key_not_found"]);
    },
  );

  it("changes its label and its expiry, each alone, and back to none", async () => {
    const { key, id } = await db.makeKey({ label: "before" });
    const relabelled = await token().send("PATCH", `/keys/${id}`, { label: "after" });
    expect([relabelled.status, relabelled.body.label, relabelled.body.expires_at]).toEqual([200, "after", null]);
    const expired = await token().send("PATCH", `/keys/${id}`, { expires_at: "2020-01-01T00:00:00Z" });
    expect(expired.body).toMatchObject({ label: "after", expires_at: "2020-01-01T00:00:00.000Z" });
    expect((await start(key)).body.code).toBe("key_expired");
    const endless = await token().send("PATCH", `/keys/${id}`, { expires_at: null, label: null });
    expect(endless.body).toMatchObject({ label: null, expires_at: null });
    expect((await start(key)).status).toBe(200);
    expect((await token().send("PATCH", `/keys/${id}`, {})).status).toBe(400);
  });

  it("is revoked, its session with it, which is told the reason, and good again when restored", async () => {
    const { key, id } = await db.makeKey();
    const session_id = newSessionId();
    await start(key, session_id);
    const watched = await watch(app.url, session_id);
    const revoked = await token().post(`/keys/${id}/revoke`, { reason: "The invoice is open" });
    expect([revoked.status, typeof revoked.body.revoked_at, revoked.body.live]).toEqual([200, "string", null]);
    const told = await watched.done;
    expect([told?.event, told?.data.code, told?.data.reason]).toEqual([
      "revoked",
      "session_revoked",
      "The invoice is open",
    ]);
    const beat = await app.post("/api/session/heartbeat", { session_id });
    expect([beat.status, beat.body.reason]).toEqual([410, "The invoice is open"]);
    expect((await start(key)).body.code).toBe("key_revoked");

    const restored = await token().post(`/keys/${id}/restore`);
    expect([restored.status, restored.body.revoked_at]).toEqual([200, null]);
    expect((await start(key)).status).toBe(200);
    expect((await app.post("/api/session/heartbeat", { session_id })).status).toBe(410);
  });

  it("is revoked without a body, and then its device is told no reason", async () => {
    const { key, id } = await db.makeKey();
    const session_id = newSessionId();
    await start(key, session_id);
    expect((await token().post(`/keys/${id}/revoke`)).status).toBe(200);
    const { body } = await app.post("/api/session/heartbeat", { session_id });
    expect([body.code, "reason" in body]).toEqual(["session_revoked", false]);
    expect((await token().post(`/keys/${id}/revoke`, { reason: "r".repeat(201) })).status).toBe(400);
  });
});
