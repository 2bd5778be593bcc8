/** The history belongs to somebody else for a while: an index is built, a partition changed. Who is well feels nothing. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { eraseKeyRow } from "../../../src/keys/sql.ts";
import { kickSessionRow } from "../../../src/sessions/device/sql.ts";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { newSessionId } from "../../support/secrets.ts";
import { openProver } from "./support/prover.ts";

const db = useDatabase();
const app = useApp(db);

async function start() {
  const { key, id } = await db.makeKey();
  const session_id = newSessionId();
  expect((await app.post("/api/session/start", { access_key: key, session_id })).status).toBe(200);
  return { key, id, session_id };
}

const beat = ({ session_id }: { session_id: string }) => app.post("/api/session/heartbeat", { session_id });

it.each(["SHARE", "ACCESS EXCLUSIVE"])("while the history is locked in %s mode", async (mode) => {
  const well = await Promise.all(Array.from({ length: 8 }, start));
  const [silent, asked, replaced] = await Promise.all([start(), start(), start()]);
  await db.age(silent.id, 61);
  await db.age(asked.id, 61);
  await app.post("/api/session/start", { access_key: replaced.key });
  const release = await db.lockTable("session_history", mode);
  try {
    // One batch, and more of them while those are asked again that cannot be told anything.
    const unsure = [silent, replaced].map(beat);
    for (let round = 0; round < 20; round++) {
      const replies = await Promise.all(well.map(beat));
      expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    }
    const [ofSilent, ofReplaced] = await Promise.all(unsure);
    expect(ofSilent).toMatchObject({ status: 503, body: { code: "unavailable" } });
    // To read is all that it takes.
    expect(ofReplaced?.body.code).toBe(mode === "SHARE" ? "session_replaced" : "unavailable");
    const status = await app.post("/api/session/status", { access_key: asked.key });
    expect(status).toMatchObject({ status: 503, body: { code: "unavailable" } });
    const watch = await app.get("/api/session/watch", { Authorization: `Bearer ${asked.session_id}` });
    expect(watch).toMatchObject({ status: 503, body: { code: "unavailable" } });
  } finally {
    await release();
  }
  expect((await beat(silent)).body.code).toBe("session_expired");
  expect((await beat(replaced)).body.code).toBe("session_replaced");
  expect((await app.post("/api/session/status", { access_key: asked.key })).body).toEqual({ active: false });
  for (const session of well) expect((await beat(session)).status).toBe(200);
});

it("a process that is started again shows that it runs, and goes on with its session, while the history is locked", async () => {
  const { key, id, session_id } = await start();
  expect((await openProver(app, session_id).start(key)).status).toBe(200);
  const again = openProver(app, session_id);
  const release = await db.lockTable("session_history", "SHARE");
  try {
    expect(await again.start(key)).toMatchObject({ status: 200, body: { resumed: true } });
    expect((await again.beat()).status).toBe(200);
  } finally {
    await release();
  }
  const [row] = await db.sql`SELECT proof_instance FROM active_sessions WHERE key_id = ${id}`;
  expect(row?.proof_instance).toBe(again.instance);
});

it("a silent session whose row somebody holds is no unknown one to who watches it", async () => {
  const session = await start();
  await db.age(session.id, 61);
  const release = await db.holdRow("active_sessions", session.id);
  const watch = await app.get("/api/session/watch", { Authorization: `Bearer ${session.session_id}` });
  await release();
  expect(watch.status).toBe(503);
});

it("the cleanup leaves what it cannot record for the next time, and holds no row for long", async () => {
  const { id, key } = await start();
  await db.age(id, 61);
  const release = await db.lockTable("session_history", "SHARE");
  const cleaned = await db.sql`SELECT expire_sessions('(0,0)', '(4294967295,0)', 1000)`.catch((error) => error.code);
  await release();
  expect(cleaned).toBe("55P03");
  expect((await app.post("/api/session/start", { access_key: key })).status).toBe(200);
});

it.each(["SHARE", "ACCESS EXCLUSIVE"])(
  "whoever is to be taken over, kicked or erased beats on while that waits for the history (%s)",
  async (mode) => {
    const session = await start();
    const release = await db.lockTable("session_history", mode);
    const by = { who: "a test", from: null };
    const waiting = [
      app.post("/api/session/start", { access_key: session.key }).then(({ status }) => status),
      kickSessionRow(db.database, { keyId: session.id, generation: null, note: null }, by).catch(({ code }) => code),
      eraseKeyRow(db.database, session.id, by).catch(({ code }) => code),
    ];
    await sleep(300);
    for (let beats = 0; beats < 5; beats++) {
      const askedAt = performance.now();
      expect((await beat(session)).status).toBe(200);
      expect(performance.now() - askedAt).toBeLessThan(1_500); // they wait for two seconds
    }
    expect(await Promise.all(waiting)).toEqual([503, "unavailable", "unavailable"]);
    await release();
    expect((await beat(session)).status).toBe(200);
  },
);
