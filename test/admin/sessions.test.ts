import { describe, expect, it } from "vitest";
import { historyPage, sessionsPage } from "../../src/admin/device/contract.ts";
import type { Sql } from "../../src/database/lane.ts";
import { sessionsWithKey } from "../../src/sessions/device/listing-sql.ts";
import { useApp } from "../support/app.ts";
import { useDatabase } from "../support/database.ts";
import { newSessionId } from "../support/secrets.ts";
import { watch } from "../support/watch.ts";
import { byToken, type Caller, exactly, readAll } from "./support/admin.ts";

const db = useDatabase();
const app = useApp(db);

const token = (): Caller => byToken(app);
const start = (access_key: string, session_id = newSessionId(), device?: object) =>
  app.post("/api/session/start", { access_key, session_id, device });
const idsOf = (body: unknown) => exactly(sessionsPage, body).items.map((item) => item.key_id);

/** Keys of one label, each with a live session. */
async function addLive(label: string, count: number, device: object = { name: "PC" }): Promise<number[]> {
  const ids: number[] = [];
  for (let n = 0; n < count; n++) {
    const { key, id } = await db.makeKey({ label });
    await start(key, newSessionId(), device);
    ids.push(id);
  }
  return ids;
}

describe("the list of live sessions", () => {
  it("shows each, masked, with its key's label, and none that has fallen silent", async () => {
    const { key, id } = await db.makeKey({ label: "on now" });
    const silent = await db.makeKey({ label: "on now" });
    const session_id = newSessionId();
    const device = { name: "Büro-PC", platform: "win32", app_version: "2.1.0" };
    const { body: started } = await start(key, session_id, device);
    await start(silent.key);
    await db.age(silent.id, 61);
    const { status, body } = await token().get("/sessions?label=on+now");
    expect(status).toBe(200);
    expect(exactly(sessionsPage, body)).toEqual({
      items: [
        {
          key_id: id,
          access_key: `${key.slice(0, 8)}…`,
          label: "on now",
          session_id: `${session_id.slice(0, 8)}…`,
          generation: started.generation,
          started_at: started.started_at,
          last_heartbeat: started.started_at,
          expires_at: started.expires_at,
          device,
        },
      ],
      next_cursor: null,
    });
  });

  it("comes in pages that neither repeat nor lose a session while all of them beat, and some come and go", async () => {
    const ids = await addLive("paged", 30);
    const gone = ids.slice(20, 23);
    let turn = 0;
    const later: number[] = [];
    const items = await readAll(
      (cursor) => token().get(`/sessions?label=paged&limit=7&sort=key_id${cursor}`),
      async () => {
        await db.sql`UPDATE active_sessions SET last_heartbeat = clock_timestamp(), started_at = clock_timestamp()`;
        if (turn++ > 0) return;
        for (const id of gone) await token().post("/sessions/kick", { key_id: id });
        later.push(...(await addLive("paged", 2))); // behind the last page
      },
    );
    expect(items.map((item) => item.key_id)).toEqual([...ids.filter((id) => !gone.includes(id)), ...later]);
  });

  it("is narrowed by label, beginning, whole key, device and silence, alone and together", async () => {
    const { key, id } = await db.makeKey({ label: "Nadel im Heu" });
    await start(key, newSessionId(), { name: "Needle-Book", platform: "Haiku" });
    const [other] = await addLive("Heu", 1);
    await db.age(id, 40);
    const prefix = key.slice(0, 8);
    const find = async (body: object) => idsOf((await token().post("/sessions/search", body)).body);
    for (const search of [
      { label: "nadel" },
      { label: "heu nad" },
      { prefix },
      { prefix: `${prefix}…` },
      { access_key: key },
      { device: "needle-b" },
      { device: "HAIKU" },
      { label: "heu", silent_seconds_min: 40 },
      { access_key: key, prefix, label: "heu", device: "book", silent_seconds_min: 39.5 },
    ]) {
      expect([search, await find(search)]).toEqual([search, [id]]);
    }
    expect(await find({ label: "heu" })).toEqual([id, other]);
    const wrong = [{ access_key: `${key}x` }, { device: "%" }, { prefix: "zzzzzzzz" }, { label: "heu", device: "no" }];
    for (const search of [...wrong, { label: "heu", silent_seconds_min: 50 }]) {
      expect([search, await find(search)]).toEqual([search, []]);
    }
    const listed = await token().get(`/sessions?prefix=${prefix}&label=nadel&device=needle&silent_seconds_min=30`);
    expect(idsOf(listed.body)).toEqual([id]);
  });

  it.each(["limit=0", "limit=501", "cursor=x", "sort=device", "prefix=123456789", "silent_seconds_min=-1"])(
    "refuses ?%s",
    async (query) => {
      const { status, body } = await token().get(`/sessions?${query}`);
      expect([status, body.code, body.issues?.[0].path]).toEqual([400, "invalid_request", query.split("=")[0]]);
    },
  );

  it("answers 50 unless asked otherwise, 500 at most", async () => {
    await db.sql`
      WITH made AS (
        INSERT INTO keys (key_hash, key_prefix, label)
        SELECT sha256(convert_to('fill' || n, 'UTF8')), 'fill', 'filling' FROM generate_series(1, 600) n RETURNING id
      )
      INSERT INTO active_sessions (key_id, access_key, session_id, generation, started_at, last_heartbeat)
      SELECT id, 'fill…', 'filling-session-' || id, 1, clock_timestamp(), clock_timestamp() FROM made`;
    const counts = [];
    for (const query of ["", "&limit=500"]) {
      counts.push((await token().get(`/sessions?label=filling${query}`)).body.items.length);
    }
    expect(counts).toEqual([50, 500]);
    expect(await readAll((cursor) => token().get(`/sessions?label=filling&limit=250${cursor}`))).toHaveLength(600);
  });
});

describe("100,000 live sessions", () => {
  it("are searched and paged by indexes, and the one that is looked for is found", async () => {
    await db.sql`
      INSERT INTO keys (key_hash, key_prefix, label)
      SELECT sha256(convert_to('bulk' || n, 'UTF8')), to_char(n, 'FM00000000'), 'customer ' || n
      FROM generate_series(1, 100000) n`;
    await db.sql`
      INSERT INTO active_sessions (key_id, access_key, session_id, generation, started_at, last_heartbeat, device)
      SELECT id, key_prefix || '…', 'bulk-session-' || key_prefix, 1, clock_timestamp(), clock_timestamp(),
             jsonb_build_object('name', 'Device ' || key_prefix)
      FROM keys WHERE label LIKE 'customer %'`;
    await db.sql`ANALYZE keys, key_words, active_sessions`;
    const [sought] = await db.sql`SELECT id FROM keys WHERE label = 'customer 77777'`;

    const plans: Array<[object, string[]]> = [
      [{}, ["active_sessions_pkey"]],
      [{ after: 50_000 }, ["active_sessions_pkey"]],
      [{ label: "customer 77777" }, ["key_words_words_index", "active_sessions_pkey"]],
      [{ prefix: "00077777" }, ["keys_key_prefix_index", "active_sessions_pkey"]],
      [{ hash: Buffer.alloc(32) }, ["keys_key_hash_unique", "active_sessions_pkey"]],
      [{ device: "PC" }, ["active_sessions_pkey"]],
    ];
    for (const [filter, indexes] of plans) {
      const lines = await db.sql`EXPLAIN ${sessionsWithKey(db.sql as unknown as Sql, { ...filter, limit: 51 })}`;
      const plan = lines.map((line) => line["QUERY PLAN"]).join("\n");
      for (const index of indexes) expect([filter, plan]).toEqual([filter, expect.stringContaining(index)]);
      expect(plan).not.toMatch(/Seq Scan on (keys|active_sessions)/);
    }
    for (const search of [{ label: "77777" }, { prefix: "00077777" }, { device: "device 00077777" }]) {
      // On a machine of a quarter's speed the first reading of so many rows may take longer than an answer.
      await expect
        .poll(async () => await token().post("/sessions/search", search), { interval: 100 })
        .toMatchObject({ status: 200, body: { items: [{ key_id: sought?.id }] } });
    }
    const page = await token().get(`/sessions?label=customer&cursor=${sought?.id}&limit=2`);
    expect(idsOf(page.body)).toEqual([sought?.id + 1, sought?.id + 2]);
    await db.sql`TRUNCATE active_sessions`;
  });
});

describe("POST /api/admin/sessions/kick", () => {
  it("ends the session, tells its stream and its next heartbeat the reason, and leaves the key good", async () => {
    const { key, id } = await db.makeKey();
    const session_id = newSessionId();
    await start(key, session_id);
    const watched = await watch(app.url, session_id);
    const reply = await token().post("/sessions/kick", { key_id: id, reason: "Please call support: 0123 ☎" });
    expect([reply.status, reply.body]).toEqual([200, { success: true }]);
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
      expect((await token().post("/sessions/kick", { key_id: id, reason })).body).toEqual({ success: true });
      const { body } = await app.post("/api/session/heartbeat", { session_id });
      expect([body.code, "reason" in body]).toEqual(["session_revoked", false]);
    }
  });

  it("with a generation ends that session only, never one that started since", async () => {
    const { key, id } = await db.makeKey();
    const first = (await start(key)).body.generation;
    const session_id = newSessionId();
    const second = (await start(key, session_id)).body.generation;
    expect((await token().post("/sessions/kick", { key_id: id, generation: first })).body).toEqual({ success: false });
    expect((await app.post("/api/session/heartbeat", { session_id })).status).toBe(200);
    expect((await token().post("/sessions/kick", { key_id: id, generation: second })).body).toEqual({ success: true });
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
      expect((await token().post("/sessions/kick", { key_id, reason: "too late" })).body).toEqual({ success: false });
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

describe("GET /api/admin/keys/{id}/history", () => {
  it("tells every session with its ending, by whom, and the live one first", async () => {
    const { key, id } = await db.makeKey();
    const [one, two] = [{ name: "One" }, { name: "Two" }];
    const sessions = Array.from({ length: 5 }, newSessionId) as [string, string, string, string, string];
    const generations: number[] = [];
    const startNext = async (n: number, device: object) =>
      generations.push((await start(key, sessions[n], device)).body.generation);
    await startNext(0, one);
    await startNext(1, two); // takes over
    await app.post("/api/session/end", { session_id: sessions[1] });
    await startNext(2, one);
    await db.age(id, 61); // expires
    await startNext(3, one);
    await token().post("/sessions/kick", { key_id: id, reason: "a word" });
    await startNext(4, two);

    const { status, body } = await token().get(`/keys/${id}/history`);
    expect(status).toBe(200);
    const { items, next_cursor } = exactly(historyPage, body);
    expect(next_cursor).toBeNull();
    const said = items.map((item) => [item.reason, item.ended_by, item.note, item.device?.name, item.replaced_by]);
    expect(said).toEqual([
      [null, null, null, "Two", null],
      ["revoked", "operator", "a word", "One", null],
      ["expired", "timeout", null, "One", null],
      ["ended", "device", null, "Two", null],
      ["replaced", "takeover", null, "One", { generation: generations[1], device: two }],
    ]);
    expect(items.map((item) => item.generation)).toEqual([...generations].reverse());
    expect(items.map((item) => item.session_id)).toEqual([...sessions].reverse().map((s) => `${s.slice(0, 8)}…`));
    expect(items.map((item) => item.ended_at === null)).toEqual([true, false, false, false, false]);
  });

  it("counts a silent session as expired before and after the cleanup alike", async () => {
    const { key, id } = await db.makeKey();
    await start(key);
    await db.age(id, 100);
    const before = (await token().get(`/keys/${id}/history`)).body;
    expect(before.items).toMatchObject([{ reason: "expired", ended_by: "timeout" }]);
    await token().post("/cleanup-sessions");
    expect((await token().get(`/keys/${id}/history`)).body).toEqual(before);
  });

  it("comes in pages, which stay as they are while the key changes hands", async () => {
    const { key, id } = await db.makeKey();
    const generations: number[] = [];
    const takeOver = async () => (await start(key)).body.generation as number;
    for (let n = 0; n < 12; n++) generations.push(await takeOver());
    const items = await readAll(
      (cursor) => token().get(`/keys/${id}/history?limit=5${cursor}`),
      async () => {
        await takeOver();
        await token().post("/sessions/kick", { key_id: id });
      },
    );
    expect(items.map((item) => item.generation)).toEqual([...generations].reverse());
  });

  it("is empty for a key that nobody used, and 404 for none", async () => {
    const { id } = await db.makeKey();
    expect((await token().get(`/keys/${id}/history`)).body).toEqual({ items: [], next_cursor: null });
    expect((await token().get("/keys/999999999/history")).body.code).toBe("key_not_found");
    expect((await token().get(`/keys/${id}/history?limit=0`)).status).toBe(400);
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
