import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { keyItem, keysPage } from "../../../src/admin/keys/contract.ts";
import { keysWithHolder } from "../../../src/admin/keys/sql.ts";
import type { Sql } from "../../../src/database/lane.ts";
import { newProofWord } from "../../support/secrets.ts";
import { exactly, readAll, useAdmin } from "../support/admin.ts";

const { db, app, token, start } = useAdmin();

/** A lease that its device has had for an hour. */
const lease = (keyId: number, endsInSeconds: number) => db.sql`
  INSERT INTO leases (key_id, lease_id, session_id, generation, issued_at, until)
  SELECT key_id, ${randomUUID()}, session_id, generation, now() - interval '1 hour',
         now() + make_interval(secs => ${endsInSeconds}) FROM active_sessions WHERE key_id = ${keyId}`;

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

  it("tells active, live, offline, revoked and expired apart", async () => {
    const label = "states";
    const make = async (options = {}) => (await db.makeKey({ label, ...options })).id;
    const [free, expired, revoked] = [await make(), await make({ expires: "2020-01-01" }), await make()];
    const used = await db.makeKey({ label });
    const silent = await db.makeKey({ label });
    const [away, both] = [await db.makeKey({ label }), await db.makeKey({ label })];
    await start(silent.key);
    await db.age(silent.id, 61);
    for (const { key, id } of [away, both, used]) {
      await start(key);
      await lease(id, id === used.id ? -1 : 3600);
    }
    await db.age(away.id, 61);
    await db.sql`SELECT revoke_key(${revoked}, NULL)`;
    const list = async (state: string) =>
      (await token().get(`/keys?label=${label}&state=${state}`)).body.items.map((item: { id: number }) => item.id);
    expect(await list("active")).toEqual([both.id, away.id, silent.id, used.id, free]);
    expect(await list("live")).toEqual([both.id, used.id]);
    expect(await list("offline")).toEqual([away.id]);
    expect(await list("revoked")).toEqual([revoked]);
    expect(await list("expired")).toEqual([expired]);
  });

  it("says whose session has proof, whose may be copied, and until when a lease holds", async () => {
    const [proven, doubtful, plain] = [await db.makeKey(), await db.makeKey(), await db.makeKey()];
    const proof = { instance: newProofWord(), number: 0, beat_id: newProofWord() };
    await app.post("/api/session/start", { access_key: proven.key, proof });
    for (const { key } of [doubtful, plain]) await start(key);
    for (const { id } of [proven, doubtful]) {
      await db.sql`
        INSERT INTO suspected_copies (key_id, generation, times_asked, seen_at)
        SELECT key_id, generation, 2, now() FROM active_sessions WHERE key_id = ${id}`;
    }
    await lease(plain.id, 1800);
    const read = async (id: number) => exactly(keyItem, (await token().get(`/keys/${id}`)).body);
    expect((await read(proven.id)).live).toMatchObject({ with_proof: true, may_be_copied: false });
    expect((await read(doubtful.id)).live).toMatchObject({ with_proof: false, may_be_copied: true });
    const { live, leased_until } = await read(plain.id);
    expect(live).toMatchObject({ with_proof: false, may_be_copied: false });
    const [row] = await db.sql`SELECT until FROM leases WHERE key_id = ${plain.id}`;
    expect(leased_until).toBe(row?.until.toISOString());
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
    await db.sql`VACUUM ANALYZE keys, key_words`; // as autovacuum does, sooner or later
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
