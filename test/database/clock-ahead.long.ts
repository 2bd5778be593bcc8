/** The database's clock is ahead for a moment, or for good: what a jump does to sessions, the history and the limits. */
import { describe, expect, it } from "vitest";
import { createLog } from "../../src/log.ts";
import { selectEndedLately } from "../../src/sessions/device/feed-sql.ts";
import { takePlaceRow } from "../../src/sessions/waiting-room/sql.ts";
import { ADMIN_TOKEN } from "../support/app.ts";
import { runCleanup } from "../support/cleanup.ts";
import { JUMPS, jumpClock, serveFor, tick } from "../support/clock.ts";
import { useJumps } from "./support/jumps.ts";

const { db, app, start, beat, isLive } = useJumps();

describe("a clock that is ahead for a moment and goes back", () => {
  it.each(Object.entries(JUMPS))(
    "by %s: everybody is live, and nobody for longer than a timeout after",
    async (_, seconds) => {
      const [silent, beating] = [await start(), await start()];
      await serveFor(db, 50);
      await jumpClock(db, seconds);
      await tick(db, seconds);
      expect(await beat(beating)).toBe(200);
      await serveFor(db, 3);
      await jumpClock(db, -seconds);
      await tick(db, -seconds);
      expect([await isLive(silent), await isLive(beating), await beat(beating), await beat(beating)]).toEqual([
        true,
        true,
        200,
        200,
      ]);
      await serveFor(db, 58);
      expect([await isLive(silent), await isLive(beating)]).toEqual([true, true]);
      await serveFor(db, 3);
      expect([await isLive(silent), await isLive(beating)]).toEqual([false, false]);
    },
  );
});

describe("a jump is seen once", () => {
  it("by one of several processes; it is counted, with how far it was", async () => {
    const steps = async () => {
      const [row] = await db.sql`SELECT clock_steps AS count, clock_stepped_seconds AS seconds FROM service_state`;
      return row as unknown as { count: number; seconds: number };
    };
    const { count } = await steps();
    for (const [nth, seconds] of [-3600, 3600, -60].entries()) {
      await jumpClock(db, seconds);
      const seen = [await tick(db, seconds), await tick(db, seconds), await tick(db)].map(({ stepped }) => stepped);
      expect(seen.map((stepped) => stepped && Math.round(stepped))).toEqual([seconds, null, null]);
      expect([(await steps()).count, Math.round((await steps()).seconds)]).toEqual([count + nth + 1, seconds]);
    }
    // An outage is no jump: by the caller's own clock the time has passed.
    await jumpClock(db, 300);
    expect((await tick(db)).stepped).toBeNull();
    // Less than a second is no jump either.
    await jumpClock(db, -0.8);
    expect((await tick(db, -0.8)).stepped).toBeNull();
    expect((await steps()).count).toBe(count + 3);
  });

  it("and more sessions than one tick dates back are dated by the next ones; one that somebody holds later", async () => {
    await db.sql`
      WITH made AS (
        INSERT INTO keys (key_hash, key_prefix) SELECT decode(md5(n::text), 'hex'), 'many' FROM generate_series(1, 12000) n
        RETURNING id)
      INSERT INTO active_sessions (key_id, access_key, session_id, generation, started_at, last_heartbeat)
      SELECT id, 'many…', 'many-sessions-' || id, 1, clock_timestamp(), clock_timestamp() FROM made`;
    const held = await start();
    const release = await db.holdRow("active_sessions", held.id);
    const ahead = async () =>
      (await db.sql`SELECT FROM active_sessions WHERE last_heartbeat > clock_timestamp()`).length;
    // The rows' own lock would keep the jump itself from being made.
    await release();
    await jumpClock(db, -3600);
    const hold = await db.holdRow("active_sessions", held.id);
    expect((await tick(db, -3600)).unsettled).toBe(true);
    expect((await tick(db)).unsettled).toBe(false);
    expect(await ahead()).toBe(1);
    await hold();
    await tick(db);
    expect(await ahead()).toBe(0);
    const [row] = await db.sql`
      SELECT count(*) FILTER (WHERE last_heartbeat > session_cutoff(clock_timestamp()))::int AS live,
             (SELECT clock_unsettled FROM service_state) AS unsettled FROM active_sessions`;
    expect(row).toEqual({ live: 12_001, unsettled: false });
  });
});

describe("a clock that is a year ahead for a moment", () => {
  const YEAR = JUMPS["a year"];
  const tidy = () =>
    runCleanup(db.database, createLog("silent"), { historyRetentionDays: 90, budgetMs: 5_000, asked: true });

  /** A device that was replaced 60 days ago, and a move of the waiting room of that day. */
  async function remember() {
    const replaced = await start();
    await app.post("/api/session/start", { access_key: replaced.key });
    await takePlaceRow(db.database, { userId: "of-old", sessionId: "s", priority: 0 });
    await serveFor(db, 60 * 86_400);
    await tick(db);
    return replaced;
  }
  const moves = async () =>
    (await db.sql`SELECT FROM waiting_room_moves WHERE user_id = 'of-old' AND move = 'seated'`).length;

  it("drops nothing of the history, so that a used id starts nothing (G4)", async () => {
    const replaced = await remember();
    await jumpClock(db, YEAR);
    await db.sql`SELECT FROM serve_tick(NULL)`; // a process that has just started
    for (let seconds = 0; seconds < 12; seconds++) {
      await tidy();
      await serveFor(db, 1);
      await tick(db);
    }
    await jumpClock(db, -YEAR);
    await tick(db, -YEAR);
    await tidy();
    expect(await beat(replaced)).toBe(410);
    const again = await app.post("/api/session/start", { access_key: replaced.key, session_id: replaced.session_id });
    expect([again.status, again.body.code]).toEqual([409, "session_id_used"]);
    expect(await moves()).toBe(1);
  });

  it("but an outage of a year is made up for by a fortnight of service, and what is past the retention goes", async () => {
    const replaced = await remember();
    await jumpClock(db, YEAR);
    await tick(db);
    await tidy();
    expect(await beat(replaced)).toBe(410);
    // Ticks a second apart for 16 days come to a day's worth for each hour; here in strides.
    for (let days = 0; days < 16; days++) {
      await serveFor(db, 86_400);
      await db.sql`UPDATE service_state SET confirmed_at = least(clock_timestamp(), confirmed_at + interval '25 days')`;
    }
    await tidy();
    expect([await beat(replaced), await moves()]).toEqual([404, 0]);
  });

  it("a day's service in an hour is what ticks confirm, and never more than the clock says", async () => {
    const lag = async () => {
      const [row] = await db.sql`
        SELECT extract(epoch FROM clock_timestamp() - retention_clock())::float8 AS seconds FROM service_state`;
      return row?.seconds as number;
    };
    await tick(db);
    expect(await lag()).toBeLessThan(2);
    await jumpClock(db, YEAR);
    await tick(db, YEAR);
    const before = await lag();
    expect(before).toBeGreaterThan(YEAR - 10);
    await db.sql`UPDATE service_state SET last_tick = last_tick - interval '2 s', confirmed_at = confirmed_at - interval '2 s'`;
    await tick(db);
    expect(before - (await lag())).toBeGreaterThan(40);
    expect(before - (await lag())).toBeLessThan(24 * 3);
    await jumpClock(db, -YEAR);
    await tick(db, -YEAR);
    expect(await lag()).toBeGreaterThanOrEqual(0);
  });

  it("holds up no start and shows in no feed once it is right again", async () => {
    const session = await start();
    await jumpClock(db, YEAR);
    await tick(db, YEAR);
    const device = { name: "Office PC" };
    for (let times = 0; times < 12; times++) {
      await app.post("/api/session/start", { access_key: session.key, device });
    }
    await jumpClock(db, -YEAR);
    await tick(db, -YEAR);
    const reply = await app.post("/api/session/start", { access_key: session.key, device });
    expect([reply.status, reply.body.code]).toEqual([200, undefined]);
    const feed = await app.get("/api/admin/numbers?hours=24", { Authorization: `Bearer ${ADMIN_TOKEN}` });
    expect(feed.status).toBe(200);
    const lately = await selectEndedLately(db.database, 10, 100);
    expect(lately.every(({ at }) => at.getTime() <= Date.now() + 1000)).toBe(true);
    await db.sql`INSERT INTO limit_counts VALUES ('ahead', 5, ${(Date.now() / 1000 + YEAR) * 1000}::bigint), ('now', 5, ${Date.now() + 60_000}::bigint)`;
    await tidy();
    expect((await db.sql`SELECT key FROM limit_counts`).map(({ key }) => key)).toEqual(["now"]);
  });
});
