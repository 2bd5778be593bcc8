/**
 * The database's clock jumps: back and ahead, by a minute, an hour and a year, with and without an outage before, for
 * devices, for the waiting room and for batch runs. Nobody who is live is expired by it, nobody who is silent stays for longer than a timeout.
 */
import { randomUUID } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import { createLog } from "../../src/log.ts";
import { cleanUpBatches } from "../../src/sessions/batch/expire.ts";
import { configureBatches } from "../../src/sessions/batch/sql.ts";
import { selectEndedLately } from "../../src/sessions/device/feed-sql.ts";
import {
  askPlaceRow,
  leavePlaceRow,
  requestPermitRow,
  settleRoom,
  takePlaceRow,
} from "../../src/sessions/waiting-room/sql.ts";
import { batchApi, outcome } from "../sessions/batch/support/batch.ts";
import { resetRoom } from "../sessions/waiting-room/support/room.ts";
import { ADMIN_TOKEN, useApp } from "../support/app.ts";
import { runCleanup } from "../support/cleanup.ts";
import { JUMPS, jumpClock, resetClock, serveFor, tick } from "../support/clock.ts";
import { useDatabase } from "../support/database.ts";
import { newSessionId } from "../support/secrets.ts";

const db = useDatabase();
const app = useApp(db, { adminToken: ADMIN_TOKEN, env: { LIMIT_STARTS: "10" } });

beforeEach(async () => {
  await db.sql`TRUNCATE active_sessions, session_history, batch_sessions, batch_nodes, batch_events`;
  await resetRoom(db, { maxActive: 1, seatSeconds: 60 });
  await resetClock(db);
});

/** The outage before: it began 110 s before the jump and ended 20 s before it. */
const OUTAGE = { began: 110, ended: 20 };

const JUMPED = Object.entries(JUMPS).flatMap(([size, seconds]) =>
  [false, true].flatMap((outage) => [
    { way: "back", size, seconds: -seconds, outage, before: outage ? "after an outage" : "with no outage before" },
    { way: "ahead", size, seconds, outage, before: outage ? "after an outage" : "with no outage before" },
  ]),
);

/** Time that passes before the jump, so that everybody is silent for so long; in it there may be the outage. */
async function grow(silent: number, outage: boolean): Promise<void> {
  if (!outage) return serveFor(db, silent);
  await serveFor(db, silent - OUTAGE.began);
  await jumpClock(db, OUTAGE.began - OUTAGE.ended);
  await tick(db);
  await serveFor(db, OUTAGE.ended);
}

async function start() {
  const { key, id } = await db.makeKey();
  const session_id = newSessionId();
  const { status, body } = await app.post("/api/session/start", { access_key: key, session_id });
  expect(status).toBe(200);
  return { key, id, session_id, generation: body.generation as number };
}
type Session = Awaited<ReturnType<typeof start>>;

const beat = async ({ session_id }: Session) => (await app.post("/api/session/heartbeat", { session_id })).status;
const status = async ({ key }: Session) => (await app.post("/api/session/status", { access_key: key })).body;
const isLive = async (session: Session) => (await status(session)).active as boolean;

describe.each(JUMPED)("the clock goes $way by $size $before", ({ seconds, outage }) => {
  /** With the outage: silent for 50 s when it began, so live by its credit alone. */
  const silentBefore = outage ? OUTAGE.began + 50 : 50;

  it("and no device that is live is expired, none that is dead comes back, none that is silent stays", async () => {
    const [dead, silent, beating] = [await start(), await start(), await start()];
    await db.age(dead.id, 11);
    await grow(silentBefore, outage);
    expect(await beat(beating)).toBe(200);

    await jumpClock(db, seconds);
    // Before anyone has ticked.
    expect([await isLive(silent), await isLive(beating), await beat(beating)]).toEqual([true, true, 200]);
    expect((await tick(db, seconds)).unsettled).toBe(false);
    expect([await isLive(dead), await isLive(silent), await isLive(beating)]).toEqual([false, true, true]);
    expect([await beat(beating), await beat(beating)]).toEqual([200, 200]);
    const fresh = await start();
    expect([await beat(fresh), await beat(fresh)]).toEqual([200, 200]);
    const { session } = await status(silent);
    const inSeconds = (Date.parse(session.expires_at) - Date.now()) / 1000;
    expect(inSeconds).toBeGreaterThan(50);
    expect(inSeconds).toBeLessThanOrEqual(61);

    await serveFor(db, 30);
    expect(await beat(beating)).toBe(200);
    await serveFor(db, 28);
    expect([await isLive(silent), await isLive(beating)]).toEqual([true, true]);
    await serveFor(db, 3);
    expect([await isLive(silent), await isLive(beating)]).toEqual([false, true]);
    expect(await beat(silent)).toBe(410);
    const [row] = await db.sql`
      SELECT count(*)::int AS rows, bool_and(ended_at <= clock_timestamp()) AS past
      FROM session_history WHERE key_id IN (${dead.id}, ${silent.id})`;
    expect(row).toEqual({ rows: 2, past: true });
  });

  it("and an outage of ours right after it expires nobody either (G6)", async () => {
    const session = await start();
    await grow(silentBefore, outage);
    await jumpClock(db, seconds);
    await tick(db, seconds);
    await serveFor(db, 9);
    await jumpClock(db, 300); // away
    expect(await isLive(session)).toBe(true);
    await tick(db);
    await serveFor(db, 59);
    expect(await isLive(session)).toBe(true);
    await serveFor(db, 2);
    expect(await isLive(session)).toBe(false);
  });

  it("while all processes are away, and whoever was live when they went has a full timeout from their return", async () => {
    const session = await start();
    await grow(silentBefore, outage);
    await jumpClock(db, 300 + seconds);
    expect(await isLive(session)).toBe(true);
    await db.sql`SELECT FROM serve_tick(NULL)`; // the first of a process
    await serveFor(db, 58);
    expect(await isLive(session)).toBe(true);
    await serveFor(db, 3);
    expect(await isLive(session)).toBe(false);
  });

  it("and generations rise all the same (G2)", async () => {
    const first = await start();
    const generations = [first.generation];
    for (const by of [seconds, -2 * seconds, seconds]) {
      await jumpClock(db, by);
      for (const ticked of [false, true]) {
        if (ticked) await tick(db, by);
        const { body } = await app.post("/api/session/start", { access_key: first.key });
        expect(body.previous_session_terminated).toBe(true);
        generations.push(body.generation);
      }
    }
    expect(generations).toEqual([...new Set(generations)].sort((a, b) => a - b));
  });

  it("and no run falls silent by it or is lost to another worker, and none that is silent stays", async () => {
    await configureBatches(db.database, 60);
    const api = batchApi(app);
    const [silent, pending, reporting] = [await api.make(), await api.make(), await api.make()];
    for (const id of [silent, reporting]) await api.claim(id, { worker: "ann" });
    const report = async () => outcome(await api.progress(reporting, { attempt: 1 }));
    const stand = () => Promise.all([silent, pending, reporting].map(async (id) => (await api.read(id)).status));
    const cleanUp = () => cleanUpBatches(db.database, { retentionDays: 7, untilMs: Number.POSITIVE_INFINITY });
    await grow(silentBefore, outage);
    expect(await report()).toBe("200");

    await jumpClock(db, seconds);
    expect(await stand()).toEqual(["running", "pending", "running"]);
    expect(outcome(await api.claim(reporting, { worker: "bob" }))).toBe("409 claimed");
    expect((await tick(db, seconds)).unsettled).toBe(false);
    expect(await cleanUp()).toEqual({ ended: 0, forgotten: 0 });
    expect(await stand()).toEqual(["running", "pending", "running"]);
    expect(outcome(await api.claim(reporting, { worker: "bob" }))).toBe("409 claimed");
    await serveFor(db, 30);
    expect(await report()).toBe("200");
    await serveFor(db, 28);
    expect(await stand()).toEqual(["running", "pending", "running"]);
    await serveFor(db, 3);
    expect(await cleanUp()).toEqual({ ended: 2, forgotten: 0 });
    expect(await stand()).toEqual(["failed", "cancelled", "running"]);
    const [row] = await db.sql`
      SELECT bool_and(completed_at <= clock_timestamp() AND ended_reason = 'silence') AS past FROM batch_sessions
      WHERE session_id IN (${silent}, ${pending})`;
    expect(row?.past).toBe(true);
    await api.cancel(reporting);
  });

  it("and no seat, no place in line and no permit is lost by it, and none kept for longer than its time", async () => {
    const [seated, waiter, asking] = ["seated", "waiter", "asking"].map((name) => `${name}-${randomUUID()}`) as [
      string,
      string,
      string,
    ];
    for (const user of [seated, waiter, asking]) {
      await takePlaceRow(db.database, { userId: user, sessionId: "s", priority: 0 });
    }
    const permitId = randomUUID();
    const permit = { permitId, userId: seated, waitMs: 0 };
    expect((await requestPermitRow(db.database, permit)).outcome).toBe("granted");
    await grow(silentBefore, outage);
    const places = async () => {
      await settleRoom(db.database);
      return (await db.sql`SELECT split_part(user_id, '-', 1) AS who FROM waiting_room_places ORDER BY ticket`).map(
        ({ who }) => who,
      );
    };
    expect((await askPlaceRow(db.database, asking)).line_position).toBe(2);

    await jumpClock(db, seconds);
    expect((await askPlaceRow(db.database, asking)).line_position).toBe(2);
    await tick(db, seconds);
    expect(await places()).toEqual(["seated", "waiter", "asking"]);
    expect(await db.sql`SELECT FROM waiting_room_permits`).toHaveLength(1);
    await serveFor(db, 30);
    expect((await askPlaceRow(db.database, asking)).line_position).toBe(2);
    await serveFor(db, 28);
    expect(await places()).toEqual(["seated", "waiter", "asking"]);
    await serveFor(db, 3);
    // The seat is free, the first in line is gone as well, and the one who asks is in: promoted, with a time of its own.
    expect(await places()).toEqual(["asking"]);
    expect(await db.sql`SELECT FROM waiting_room_permits`).toHaveLength(0);
    await serveFor(db, 58);
    expect(await places()).toEqual(["asking"]);
    await serveFor(db, 3);
    expect(await places()).toEqual([]);
  });

  it("and a permit whose holder keeps the seat is neither lost by it nor kept for longer than its time", async () => {
    await resetRoom(db, { maxActive: 1, requestSeconds: 300 });
    const userId = `user-${randomUUID()}`;
    await takePlaceRow(db.database, { userId, sessionId: "s", priority: 0 });
    await requestPermitRow(db.database, { permitId: randomUUID(), userId, waitMs: 0 });
    const permits = async () => {
      await settleRoom(db.database);
      return (await db.sql`SELECT FROM waiting_room_permits`).length;
    };
    await grow(outage ? 200 : 50, outage);
    await jumpClock(db, seconds);
    await tick(db, seconds);
    expect(await permits()).toBe(1);
    await serveFor(db, 80);
    expect(await permits()).toBe(1);
    await serveFor(db, 225);
    expect(await permits()).toBe(0);
    await leavePlaceRow(db.database, userId);
  });
});

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
    // Nor is what is less than a second.
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
