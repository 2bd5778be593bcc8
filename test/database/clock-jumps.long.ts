/**
 * The database's clock jumps: back and ahead, by a minute, an hour and a year, with and without an outage before, for
 * devices, for the waiting room, for batch runs and for game sessions. Nobody who is live is expired by it, nobody who is silent stays for longer than a timeout.
 */
import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { cleanUpBatches } from "../../src/sessions/batch/cleanup.ts";
import { configureBatches } from "../../src/sessions/batch/upkeep-sql.ts";
import { cleanUpGames } from "../../src/sessions/game/cleanup.ts";
import { configureGames } from "../../src/sessions/game/upkeep-sql.ts";
import {
  askPlaceRow,
  leavePlaceRow,
  requestPermitRow,
  settleRoom,
  takePlaceRow,
} from "../../src/sessions/waiting-room/sql.ts";
import { batchApi, outcome } from "../sessions/batch/support/batch.ts";
import { type CombatApi, combatApi, players } from "../sessions/game/combat/support/combat.ts";
import { outcome as gameOutcome, newPlayer } from "../sessions/game/support/game.ts";
import { resetRoom } from "../sessions/waiting-room/support/room.ts";
import { JUMPS, jumpClock, serveFor, tick } from "../support/clock.ts";
import { useJumps } from "./support/jumps.ts";

const { db, app, start, beat, status, isLive } = useJumps();

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

/** A match of two. */
const make = (api: CombatApi, settings: object = {}) => api.make(players(2), { settings });
/** As it stands, without a call for it. */
const statusOf = async (id: string) => (await db.sql`SELECT status FROM look_at_game(${id})`)[0]?.status;
const cleanUpAllGames = () => cleanUpGames(db.database, { retentionDays: 30, untilMs: Number.POSITIVE_INFINITY });

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

  it("and no session falls silent by it, and none that is silent stays, paused or not", async () => {
    await configureGames(db.database, 60);
    const api = combatApi(app);
    const plain = async () => {
      const { body } = await api.send("POST", "/sessions", "service", { type: "player", player_id: newPlayer() });
      return body.session_id as string;
    };
    const [silent, resting, called] = [await plain(), await make(api), await plain()];
    await api.pause(resting);
    const stand = () => Promise.all([silent, resting, called].map((id) => statusOf(id)));
    await grow(silentBefore, outage);
    expect((await api.readSession(called, "service")).status).toBe(200);

    await jumpClock(db, seconds);
    expect(await stand()).toEqual(["active", "paused", "active"]);
    expect((await tick(db, seconds)).unsettled).toBe(false);
    expect(await cleanUpAllGames()).toEqual({ ended: 0, forgotten: 0 });
    expect(await stand()).toEqual(["active", "paused", "active"]);
    await serveFor(db, 30);
    expect((await api.readSession(called, "service")).body.status).toBe("active");
    await serveFor(db, 28);
    expect(await stand()).toEqual(["active", "paused", "active"]);
    await serveFor(db, 3);
    expect(await cleanUpAllGames()).toEqual({ ended: 2, forgotten: 0 });
    expect(await stand()).toEqual(["terminated", "terminated", "active"]);
    const [row] = await db.sql`
      SELECT bool_and(ended_at <= clock_timestamp() AND ended_reason = 'silence') AS past FROM game_sessions
      WHERE session_id IN (${silent}, ${resting})`;
    expect(row?.past).toBe(true);
  });

  it("and a match lasts no longer than its whole time from then on, goes on as it was, and no cooldown lasts longer", async () => {
    await configureGames(db.database, 86_400);
    const api = combatApi(app);
    const cooldown_ms = { ability: 600_000 };
    const id = await make(api, { max_duration: 600, rules: { cooldown_ms } });
    const [player] = (await api.read(id, "service")).body.participants.map(
      (one: { player_id: string }) => one.player_id,
    );
    const ability = async () => gameOutcome(await api.act(id, player, { action_type: "ability" }));
    const look = async () => {
      const [{ body: match }, { body: state }] = [await api.read(id, "service"), await api.readState(id, "service")];
      return { status: match.status, phase: state.phase, remaining: state.time_remaining };
    };
    await serveFor(db, 100);
    await api.pause(id);
    await serveFor(db, 50);
    await api.resume(id);
    await serveFor(db, 100);
    expect(await look()).toEqual({ status: "active", phase: "active", remaining: expect.closeTo(400, -1) });
    expect(await ability()).toBe("200");
    expect(await ability()).toBe("409 cooldown");

    await jumpClock(db, seconds);
    await tick(db, seconds);
    const after = await look();
    if (seconds > 400) {
      // Ahead, it looks as if so much time had been played.
      expect(after).toEqual({ status: "completed", phase: "finished", remaining: 0 });
      return;
    }
    expect(after).toMatchObject({ status: "active", phase: "active" });
    expect(after.remaining).toBeLessThanOrEqual(Math.min(600, 401 - seconds));
    await api.pause(id);
    const { remaining } = await look();
    await serveFor(db, 300);
    expect(await look()).toEqual({ status: "paused", phase: "active", remaining });
    await api.resume(id);
    // Of the cooldown's 600 s, 300 have passed while it stood still.
    const waits = 301 - Math.max(0, seconds);
    await serveFor(db, waits);
    expect(await ability()).toBe("200");
    await serveFor(db, remaining - waits);
    expect(await look()).toEqual({ status: "completed", phase: "finished", remaining: 0 });
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
    // The first in line is gone too, and the user who asks is promoted, with a full time to claim.
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
