import { describe, expect, it } from "vitest";
import { sessionsPage } from "../../../src/admin/device/contract.ts";
import type { Sql } from "../../../src/database/lane.ts";
import { sessionsWithKey } from "../../../src/sessions/device/listing-sql.ts";
import { newSessionId } from "../../support/secrets.ts";
import { exactly, readAll, useAdmin } from "../support/admin.ts";

const { db, token, start } = useAdmin();

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
          may_be_copied: false,
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
    await db.sql`VACUUM ANALYZE keys, key_words, active_sessions`; // as autovacuum does, sooner or later
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
      // On a slow machine the first read of so many rows may take longer than an answer may.
      await expect
        .poll(async () => await token().post("/sessions/search", search), { interval: 100 })
        .toMatchObject({ status: 200, body: { items: [{ key_id: sought?.id }] } });
    }
    const page = await token().get(`/sessions?label=customer&cursor=${sought?.id}&limit=2`);
    expect(idsOf(page.body)).toEqual([sought?.id + 1, sought?.id + 2]);
    await db.sql`TRUNCATE active_sessions`;
  });
});
