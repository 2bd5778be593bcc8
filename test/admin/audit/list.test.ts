import { describe, expect, it } from "vitest";
import { newAccessKey } from "../../support/secrets.ts";
import { readAll, signIn, useAdmin } from "../support/admin.ts";

const { db, app, token, start, newestEntry } = useAdmin();

describe("the audit log", () => {
  it("holds every change with who, when, from where and what, and no device's secret", async () => {
    const access_key = newAccessKey();
    const page = await signIn(app);
    const who = `page ${page.pair.replace("keybeat_admin=", "").split(".")[0]}`;
    expect(await newestEntry()).toMatchObject({ action: "signed_in", who });
    await app.post(
      "/api/admin/keys",
      { access_key, label: "audited" },
      { Authorization: "Bearer an-admin-token-for-tests" },
    );
    const created = await newestEntry();
    const id = created.key_id as number;
    expect(created).toMatchObject({ action: "key_created", who: "token", details: { label: "audited" } });
    await start(access_key);
    const expires_at = "2099-01-01T00:00:00Z";
    const changes: Array<[() => Promise<unknown>, object]> = [
      [
        () => page.caller.send("PATCH", `/keys/${id}`, { label: "new" }),
        { action: "key_changed", details: { label: "new" } },
      ],
      [
        () => page.caller.send("PATCH", `/keys/${id}`, { expires_at }),
        { action: "key_changed", details: { expires_at } },
      ],
      [
        () => page.caller.post(`/keys/${id}/revoke`, { reason: "why" }),
        { action: "key_revoked", details: { reason: "why", session_ended: true } },
      ],
      [() => page.caller.post(`/keys/${id}/restore`), { action: "key_restored", details: null }],
      [() => page.caller.send("DELETE", `/keys/${id}`), { action: "key_erased", details: null }],
    ];
    for (const [change, entry] of changes) {
      await change();
      const newest = await newestEntry();
      expect(newest).toMatchObject({ ...entry, key_id: id, who, from: expect.stringMatching(/127\.0\.0\.1$/) });
      expect(Math.abs(Date.parse(newest.at) - Date.now())).toBeLessThan(60_000);
    }
    await page.caller.post("/sign-out");
    expect(await newestEntry()).toMatchObject({ action: "signed_out", who, key_id: null });
  });

  it("says nothing of what did not happen", async () => {
    const { id } = await db.makeKey();
    const before = await newestEntry();
    await token().send("PATCH", "/keys/999999999", { label: "x" });
    await token().post("/keys/999999999/revoke");
    await token().send("DELETE", "/keys/999999999");
    await token().post(`/keys/${id}/restore`); // was not revoked
    await token().send("PATCH", `/keys/${id}`, { label: 1 });
    expect(await newestEntry()).toEqual(before);
  });

  it("comes in pages, newest first, which stay as they are while more is written", async () => {
    const expected = (await db.sql`SELECT id FROM audit_log ORDER BY id DESC`).map((row) => row.id);
    const items = await readAll(
      (cursor) => token().get(`/audit?limit=20${cursor}`),
      () => db.makeKey(),
    );
    expect(items.map((item) => item.id)).toEqual(expected);
  });

  it("has no change without its entry: where the entry cannot be written, nothing changes", async () => {
    const { id } = await db.makeKey({ label: "unchanged" });
    await db.sql`ALTER TABLE audit_log ADD CONSTRAINT closed CHECK (action IS NULL) NOT VALID`;
    try {
      const replies = [
        await token().send("PATCH", `/keys/${id}`, { label: "changed" }),
        await token().post(`/keys/${id}/revoke`),
        await token().send("DELETE", `/keys/${id}`),
        await token().post("/keys", { label: "never made" }),
      ];
      expect(replies.map((reply) => reply.status)).toEqual([500, 500, 500, 500]);
      for (const { body } of replies) expect(JSON.stringify(body)).not.toMatch(/audit_log|constraint/);
    } finally {
      await db.sql`ALTER TABLE audit_log DROP CONSTRAINT closed`;
    }
    expect((await token().get(`/keys/${id}`)).body).toMatchObject({ label: "unchanged", revoked_at: null });
    expect((await token().get("/keys?label=never")).body.items).toEqual([]);
  });
});
