import { describe, expect, it } from "vitest";
import { createKeyReply } from "../../../src/admin/keys/contract.ts";
import { newAccessKey } from "../../support/secrets.ts";
import { exactly, useAdmin } from "../support/admin.ts";

const { db, app, token, start } = useAdmin();

describe("POST /api/admin/keys", () => {
  it("makes a key, shows it whole only now, and the key starts a session", async () => {
    const { status, body } = await token().post("/keys", { label: "ACME, Inc.", expires_in_days: 30 });
    expect(status).toBe(201);
    const made = exactly(createKeyReply, body);
    expect(made.access_key).toMatch(/^[0-9a-hjkmnp-tv-z]{32}$/);
    expect(made.access_key_masked).toBe(`${made.access_key.slice(0, 8)}…`);
    const days = (Date.parse(made.expires_at ?? "") - Date.now()) / 86_400_000;
    expect(Math.abs(days - 30)).toBeLessThan(0.1);
    expect((await start(made.access_key)).status).toBe(200);

    const kept = await token().get(`/keys/${made.id}`);
    expect(kept.body).toMatchObject({ id: made.id, access_key: made.access_key_masked, label: "ACME, Inc." });
    expect(JSON.stringify([kept.body, (await token().get("/audit")).body])).not.toContain(made.access_key);
    expect(app.log.join("\n")).not.toContain(made.access_key);
  });

  it("takes a key in as it is given, and refuses it a second time without saying it", async () => {
    const access_key = newAccessKey();
    const { status } = await fetch(`${app.url}/api/admin/keys`, {
      method: "POST",
      headers: { Authorization: "Bearer an-admin-token-for-tests", "Content-Type": "application/json" },
      body: JSON.stringify({ access_key, expires_at: "2099-01-31T12:00:00+02:00" }),
    });
    expect(status).toBe(201);
    expect((await start(access_key)).status).toBe(200);
    const again = await token().post("/keys", { access_key, label: "other" });
    expect([again.status, again.body.code]).toEqual([409, "key_exists"]);
    const found = await token().post("/keys/search", { access_key });
    expect(found.body.items).toMatchObject([{ label: null, expires_at: "2099-01-31T10:00:00.000Z" }]);
  });

  it.each([
    [{ access_key: "" }],
    [{ access_key: "k".repeat(513) }],
    [{ access_key: "a\0b" }],
    [{ label: "l".repeat(201) }],
    [{ label: "\ud800" }],
    [{ expires_at: "soon" }],
    [{ expires_in_days: 0 }],
    [{ expires_in_days: "30" }],
    [{ expires_at: "2099-01-31T00:00:00Z", expires_in_days: 1 }],
    [[]],
    ["{"],
  ])("makes no key of %j", async (body) => {
    const [before] = await db.sql`SELECT count(*) AS n FROM keys`;
    const reply = await token().post("/keys", body);
    expect([reply.status, reply.body.code]).toEqual([400, "invalid_request"]);
    expect((await db.sql`SELECT count(*) AS n FROM keys`)[0]).toEqual(before);
  });
});
