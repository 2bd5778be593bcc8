import { describe, expect, it } from "vitest";
import { historyPage } from "../../../src/admin/device/contract.ts";
import { newSessionId } from "../../support/secrets.ts";
import { exactly, readAll, useAdmin } from "../support/admin.ts";

const { db, app, token, start } = useAdmin();

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

  it("tells a device that said goodbye from one that the owner of its key signed out", async () => {
    const { key, id } = await db.makeKey();
    const first = (await start(key)).body;
    await app.post("/api/session/end", { session_id: first.session_id });
    const second = (await start(key)).body;
    await app.post("/api/session/sign-out", { access_key: key, expected_generation: second.generation });
    const { items } = exactly(historyPage, (await token().get(`/keys/${id}/history`)).body);
    expect(items.map(({ reason, ended_by, note }) => [reason, ended_by, note])).toEqual([
      ["ended", "owner", "Signed out by the owner of the key"],
      ["ended", "device", null],
    ]);
  });

  it("is empty for a key that nobody used, and 404 for none", async () => {
    const { id } = await db.makeKey();
    expect((await token().get(`/keys/${id}/history`)).body).toEqual({ items: [], next_cursor: null });
    expect((await token().get("/keys/999999999/history")).body.code).toBe("key_not_found");
    expect((await token().get(`/keys/${id}/history?limit=0`)).status).toBe(400);
  });
});
