import { describe, expect, it } from "vitest";
import { auditItem } from "../../src/admin/audit/contract.ts";
import { createKeyReply, keyItem, keysPage } from "../../src/admin/keys/contract.ts";
import { keysWithHolder } from "../../src/admin/keys/sql.ts";
import type { Sql } from "../../src/database/lane.ts";
import { useApp } from "../support/app.ts";
import { useDatabase } from "../support/database.ts";
import { newAccessKey, newSessionId } from "../support/secrets.ts";
import { watch } from "../support/watch.ts";
import { byToken, type Caller, exactly, readAll, signIn } from "./support/admin.ts";

const db = useDatabase();
const app = useApp(db);

const token = (): Caller => byToken(app);
const start = (access_key: string, session_id = newSessionId(), device?: object) =>
  app.post("/api/session/start", { access_key, session_id, device });
const newestEntry = async () => exactly(auditItem, (await token().get("/audit?limit=1")).body.items[0]);

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
      last_used_at: started.body.started_at,
      generation: started.body.generation,
      live: {
        session_id: `${session_id.slice(0, 8)}…`,
        started_at: started.body.started_at,
        last_heartbeat: started.body.started_at,
        device,
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

describe("the list of keys", () => {
  it("is masked, newest first, in pages that neither repeat nor lose a key while keys come, go and change", async () => {
    const made: number[] = [];
    for (let n = 0; n < 30; n++) made.push((await db.makeKey({ label: "paged list" })).id);
    const doomed = made.slice(3, 6);
    let turn = 0;
    const items = await readAll(
      (cursor) => token().get(`/keys?label=paged&limit=7${cursor}`),
      async () => {
        await db.makeKey({ label: "paged list" }); // before the first page
        if (turn++ === 0) for (const id of doomed) await db.sql`DELETE FROM keys WHERE id = ${id}`;
        await db.sql`UPDATE keys SET last_used_at = now(), generation = generation + 1 WHERE label = 'paged list'`;
      },
    );
    const expected = made.filter((id) => !doomed.includes(id)).reverse();
    expect(items.map((item) => item.id)).toEqual(expected);
    for (const item of items) expect(item.access_key).toMatch(/^.{8}…$/);
  });

  it("finds by label's words, by beginning, by the whole key in a body, and by all of them at once", async () => {
    const { key, id } = await db.makeKey({ label: "Müller & Söhne GmbH, order #4711-X (mail@example.com)" });
    const find = async (search: object) =>
      exactly(keysPage, (await token().post("/keys/search", search)).body).items.map((item) => item.id);
    const prefix = key.slice(0, 8);
    for (const label of ["müller", "GMBH Müll", "4711", "#4711-x", "example", "mail@exam"]) {
      expect([label, await find({ label })]).toEqual([label, [id]]);
    }
    for (const search of [{ prefix }, { prefix: `${prefix}…` }, { prefix: prefix.slice(0, 7) }, { access_key: key }]) {
      expect([search, await find(search)]).toEqual([search, [id]]);
    }
    expect(await find({ access_key: key, prefix, label: "order", state: "active" })).toEqual([id]);
    const none = [{ label: "üller" }, { label: "& !" }, { label: "' | :* <->" }, { access_key: `${key}x` }];
    for (const search of [...none, { prefix: "%" }, { prefix: "_______" }, { access_key: key, label: "other" }]) {
      expect([search, await find(search)]).toEqual([search, []]);
    }
  });

  it("tells active, live, revoked and expired apart", async () => {
    const label = "states";
    const make = async (options = {}) => (await db.makeKey({ label, ...options })).id;
    const [free, expired, revoked] = [await make(), await make({ expires: "2020-01-01" }), await make()];
    const used = await db.makeKey({ label });
    const silent = await db.makeKey({ label });
    await start(used.key);
    await start(silent.key);
    await db.age(silent.id, 61);
    await db.sql`SELECT revoke_key(${revoked}, NULL)`;
    const list = async (state: string) =>
      (await token().get(`/keys?label=${label}&state=${state}`)).body.items.map((item: { id: number }) => item.id);
    expect(await list("active")).toEqual([silent.id, used.id, free]);
    expect(await list("live")).toEqual([used.id]);
    expect(await list("revoked")).toEqual([revoked]);
    expect(await list("expired")).toEqual([expired]);
  });

  it.each([
    "limit=0",
    "limit=501",
    "limit=x",
    "cursor=abc",
    "cursor=-1",
    "state=all",
    "prefix=",
    "prefix=123456789",
    `label=${"l".repeat(201)}`,
  ])("refuses ?%s", async (query) => {
    const { status, body } = await token().get(`/keys?${query}`);
    expect([status, body.code]).toEqual([400, "invalid_request"]);
    expect(body.issues[0].path).toBe(query.split("=")[0]);
  });

  it("finds one among 100,000 by an index, not by reading them all", async () => {
    await db.sql`
      INSERT INTO keys (key_hash, key_prefix, label)
      SELECT sha256(convert_to('bulk' || n, 'UTF8')), to_char(n, 'FM00000000'), 'customer ' || n || ' of shop'
      FROM generate_series(1, 100000) n`;
    await db.sql`ANALYZE keys, key_words`;
    const plans: Array<[object, string]> = [
      [{ label: "customer 77777" }, "key_words_words_index"],
      [{ prefix: "00077777" }, "keys_key_prefix_index"],
      [{ hash: Buffer.alloc(32) }, "keys_key_hash_unique"],
      [{ before: 5000 }, "keys_pkey"],
    ];
    for (const [filter, index] of plans) {
      const lines = await db.sql`EXPLAIN ${keysWithHolder(db.sql as unknown as Sql, { ...filter, limit: 51 })}`;
      const plan = lines.map((line) => line["QUERY PLAN"]).join("\n");
      expect(plan).toContain(index);
      expect(plan).not.toContain("Seq Scan on keys");
    }
    const { body } = await token().post("/keys/search", { label: "shop customer 77777" });
    expect(body.items.map((item: { access_key: string }) => item.access_key)).toEqual(["00077777…"]);
    await db.sql`DELETE FROM keys WHERE label LIKE 'customer %'`;
  });
});

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
