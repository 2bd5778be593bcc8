import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { createFeed } from "../../../src/admin/device/feed.ts";
import { openDatabase } from "../../../src/database/database.ts";
import { createLog } from "../../../src/log.ts";
import { ADMIN_TOKEN, useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { startProxy } from "../../support/proxy.ts";
import { newSessionId } from "../../support/secrets.ts";
import { byToken, type Events, lookOn, signIn } from "../support/admin.ts";

const db = useDatabase();
const app = useApp(db);
const beside = useApp(db);

const opened: Events[] = [];
const open = async (...args: Parameters<typeof lookOn>) => {
  const events = await lookOn(...args);
  opened.push(events);
  return events;
};
afterEach(async () => {
  for (const events of opened.splice(0)) events.stop();
  await sleep(50);
});

const start = (access_key: string, session_id = newSessionId(), device?: object) =>
  app.post("/api/session/start", { access_key, session_id, device });
const of = (id: number) => (data: Record<string, unknown>) => data.key_id === id;

/** Has looked once, so it knows which events are old. */
async function openSettled(to: { url: string } = app): Promise<Events> {
  const events = await open(to);
  await events.next("numbers");
  const { key, id } = await db.makeKey();
  for (let seen = false; !seen; ) {
    await start(key);
    await sleep(1100);
    seen = events.seen.some((one) => of(id)(one.data));
  }
  return events;
}

describe("GET /api/admin/events", () => {
  it("begins with the number of live sessions, and says it again as it changes", async () => {
    const [row] = await db.sql`SELECT count(*) AS live FROM active_sessions`;
    const events = await open(app);
    expect(events.status).toBe(200);
    expect(await events.next("numbers")).toEqual({ live: row?.live, at: expect.any(String) });
    const { key } = await db.makeKey();
    await start(key);
    await events.next("numbers", (data) => data.live === row?.live + 1);
  });

  it("tells starts, takeovers and endings, whichever process served them, each once and masked", async () => {
    const events = await openSettled(beside);
    const { key, id } = await db.makeKey({ label: "told" });
    const [pc, mac] = [{ name: "PC" }, { name: "Mac" }];
    const known = { key_id: id, access_key: `${key.slice(0, 8)}…`, label: "told", at: expect.any(String) };
    await start(key, newSessionId(), pc);
    expect(await events.next("started", of(id))).toEqual({ ...known, device: pc });
    const session_id = newSessionId();
    const { body } = await start(key, session_id, mac);
    const takeover = { ...known, at: body.started_at, from_device: pc, to_device: mac };
    expect(await events.next("takeover", of(id))).toEqual(takeover);
    await app.post("/api/session/end", { session_id });
    expect(await events.next("ended", of(id))).toEqual({ ...known, reason: "ended", device: mac });

    const silent = await db.makeKey();
    await start(silent.key);
    await events.next("started", of(silent.id));
    await db.age(silent.id, 61);
    await byToken(app).post("/cleanup-sessions");
    expect(await events.next("ended", of(silent.id))).toMatchObject({ reason: "expired" });
    await sleep(2500);
    expect(events.seen.filter((one) => of(id)(one.data)).map((one) => one.event)).toEqual([
      "started",
      "takeover",
      "ended",
    ]);
    expect(events.seen.filter((one) => of(silent.id)(one.data)).map((one) => one.event)).toEqual(["started", "ended"]);
  });

  it("says nothing of what was before", async () => {
    const { key, id } = await db.makeKey();
    await start(key);
    await start(key);
    const events = await open(app);
    await events.next("numbers");
    await sleep(2500);
    expect(events.seen.filter((one) => of(id)(one.data))).toEqual([]);
  });

  it("tells at most 20 a second, takeovers before the rest, and how many it left out", async () => {
    const events = await openSettled();
    const { key, id } = await db.makeKey();
    const before = events.seen.length;
    // One commit, so that one look sees them all.
    await db.sql`
      WITH made AS (
        INSERT INTO keys (key_hash, key_prefix, label)
        SELECT sha256(convert_to('crowd' || n, 'UTF8')), 'crowd', 'crowd' FROM generate_series(1, 100) n RETURNING id
      ), past AS (
        INSERT INTO session_history (key_id, access_key, session_id, generation, started_at, last_heartbeat, ended_at,
                                     reason, replaced_by_generation)
        VALUES (${id}, ${key.slice(0, 8)}, 'crowd-history-session', 1, now(), now(), now() - interval '1 second', 'replaced', 2)
      )
      INSERT INTO active_sessions (key_id, access_key, session_id, generation, started_at, last_heartbeat)
      SELECT id, 'crowd…', 'crowd-session-' || id, 1, now(), now() FROM made`;
    expect(await events.next("left_out")).toEqual({ count: 81 });
    const told = events.seen.slice(before).filter((one) => one.event !== "numbers" && one.event !== "left_out");
    expect(told).toHaveLength(20);
    expect(told.filter((one) => one.event === "takeover").map((one) => one.data.key_id)).toEqual([id]);
  });

  it("opens to the page's cookie, without a CSRF token, and to nobody else", async () => {
    const { pair } = await signIn(app);
    expect((await open(app, { Cookie: pair })).status).toBe(200);
    expect((await open(app, {})).status).toBe(401);
    expect((await open(app, { Authorization: "Bearer wrong" })).status).toBe(401);
  });

  it("is open to 20 at once, the next is asked to come again, and has room when one has gone", async () => {
    const streams = await Promise.all(Array.from({ length: 20 }, () => open(beside)));
    expect(streams.map((one) => one.status)).toEqual(Array(20).fill(200));
    const headers = { Authorization: `Bearer ${ADMIN_TOKEN}` };
    const refused = await fetch(`${beside.url}/api/admin/events`, { headers });
    expect([refused.status, Number(refused.headers.get("retry-after")) > 0]).toEqual([503, true]);
    await refused.body?.cancel();
    streams[0]?.stop();
    while ((await open(beside)).status !== 200) await sleep(20);
    const head = await fetch(`${beside.url}/api/admin/events`, { method: "HEAD", headers });
    expect(head.status).toBe(200);
  });
});

describe("the feed", () => {
  it("says that the database is away, and goes on when it is back", async () => {
    const proxy = await startProxy(db.url);
    const database = openDatabase(proxy.url);
    const told: string[] = [];
    const feed = createFeed(database, createLog("silent"));
    const stop = feed.subscribe((event) => told.push(event));
    const heard = async (event: string) => {
      told.length = 0;
      while (!told.includes(event)) await sleep(20);
    };
    try {
      await heard("numbers");
      await proxy.set("refuse");
      await heard("unavailable");
      await proxy.set("pass");
      await heard("numbers");
    } finally {
      stop();
      await database.close();
      await proxy.close();
    }
  });

  it("asks the database nothing while nobody looks on", async () => {
    const statements: string[] = [];
    const counted = { ...db.database, operators: { ...db.database.operators } };
    counted.operators.query = (statement) => {
      statements.push("asked");
      return db.database.operators.query(statement);
    };
    const feed = createFeed(counted, createLog("silent"));
    await sleep(1200);
    expect(statements).toEqual([]);
    const stop = feed.subscribe(() => {});
    while (statements.length < 3) await sleep(20);
    stop();
    await sleep(1200); // one look may have been under way
    const after = statements.length;
    await sleep(2500);
    expect([statements.length, feed.size()]).toEqual([after, 0]);
  });
});
