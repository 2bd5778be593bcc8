/** No effect comes later than its caller waits for it, however many locks it had to wait for, one after the other. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { eraseKeyRow, insertKey, patchKeyRow } from "../../../src/keys/sql.ts";
import { kickSessionRow } from "../../../src/sessions/device/sql.ts";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { newSessionId } from "../../support/secrets.ts";
import { tryLease } from "./support/leases.ts";
import { deviceSessions } from "./support/subject.ts";

const db = useDatabase();
const app = useApp(db);
const BY = { who: "a test", from: null };

async function start() {
  const { key, id } = await db.makeKey();
  const session_id = newSessionId();
  await app.post("/api/session/start", { access_key: key, session_id });
  return { key, id, session_id };
}

/** Held one after the other, each for less than any single wait may take; the last until nobody waits any more. */
async function holdInTurn(id: number): Promise<() => Promise<void>> {
  const [letKey, letSession] = [await db.holdRow("keys", id), await db.holdRow("active_sessions", id)];
  const letHistory = await db.lockTable("session_history", "SHARE");
  const let_ = [sleep(1_200).then(letKey), sleep(2_000).then(letSession), sleep(3_600).then(letHistory)];
  return async () => void (await Promise.all(let_));
}

const present = async (id: number) => (await db.sql`SELECT session_id FROM active_sessions WHERE key_id = ${id}`)[0];

describe("where a key's row, its session's and the history are held in turn", () => {
  it.each([
    ["a start", ({ key }: Held) => app.post("/api/session/start", { access_key: key })],
    ["an end", ({ session_id }: Held) => app.post("/api/session/end", { session_id })],
  ])("%s is answered 503 and has no effect after that", async (_, call) => {
    const held = await start();
    const allFree = await holdInTurn(held.id);
    const sentAt = performance.now();
    expect((await call(held)).status).toBe(503);
    expect(performance.now() - sentAt).toBeLessThan(3_000);
    await allFree();
    await sleep(300);
    expect(await present(held.id)).toEqual({ session_id: held.session_id });
  });

  it.each([
    ["a kick", (id: number) => kickSessionRow(db.database, { keyId: id, generation: null, note: null }, BY)],
    ["an erasure", (id: number) => eraseKeyRow(db.database, id, BY)],
  ])("%s gives up, and has no effect after that", async (_, call) => {
    const held = await start();
    const allFree = await holdInTurn(held.id);
    await expect(call(held.id)).rejects.toMatchObject({ code: "unavailable" });
    await allFree();
    await sleep(300);
    expect(await present(held.id)).toEqual({ session_id: held.session_id });
    const [audit] =
      await db.sql`SELECT count(*)::int AS n FROM audit_log WHERE key_id = ${held.id} AND action <> 'key_created'`;
    expect(audit?.n).toBe(0);
  });
});

it("a start that stood in line behind another of its key has only what is left to its caller", async () => {
  const held = await start();
  const release = await db.holdRow("keys", held.id);
  const starts = Promise.all([0, 1].map(() => app.post("/api/session/start", { access_key: held.key })));
  expect((await starts).map(({ status }) => status)).toEqual([503, 503]);
  await release(); // 0.1 s after both were told
  await sleep(500);
  expect(await present(held.id)).toEqual({ session_id: held.session_id });
});

it("what changes a key waits for a lock of the whole table no longer than its caller", async () => {
  const { id } = await db.makeKey();
  const release = await db.lockTable("keys", "SHARE");
  const key = { hash: db.hashKey("a late key"), prefix: "a late k", alias: null, label: null, expiresAt: null };
  const results = await Promise.allSettled([
    insertKey(db.database, key, BY),
    patchKeyRow(db.database, id, { label: "late", expiresAt: undefined }, BY),
  ]);
  await release();
  await sleep(300);
  expect(results.map((result) => result.status)).toEqual(["rejected", "rejected"]);
  const late = await db.sql`SELECT FROM keys WHERE key_prefix = 'a late k' OR label = 'late'`;
  expect(late).toHaveLength(0);
});

it("an end comes after the start with its id that is under way, so that nobody is left live by it", async () => {
  const { key, id } = await db.makeKey();
  const session_id = newSessionId();
  const release = await db.holdRow("keys", id);
  const starting = app.post("/api/session/start", { access_key: key, session_id });
  await sleep(300);
  const ending = app.post("/api/session/end", { session_id });
  await sleep(300);
  await release();
  expect((await starting).status).toBe(200);
  expect((await ending).body).toEqual({ success: true });
  expect(await present(id)).toBeUndefined();
});

it("a lease that is not given looks for the reason no longer than its caller waits", async () => {
  const held = await start();
  await db.age(held.id, 61);
  const release = await db.holdRow("active_sessions", held.id);
  const begunAt = performance.now();
  const asked = tryLease(deviceSessions(db), held.session_id, 60).catch((error) => ({ is: error.code }));
  await sleep(200);
  const sit = () => db.database.requests.query((sql) => sql`SELECT pg_sleep(2.4)`);
  const crowd = Promise.allSettled(Array.from({ length: 20 }, sit));
  await sleep(1_300);
  await release();
  expect(await asked).toEqual({ is: "unavailable" });
  // Looking had a deadline of its own: 4 s then.
  expect(performance.now() - begunAt).toBeLessThan(3_500);
  await crowd;
});

interface Held {
  key: string;
  id: number;
  session_id: string;
}
