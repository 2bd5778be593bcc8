/** Somebody's open transaction on the service's own row, or an operator's lock on the sessions. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { untilFree } from "../../src/database/locked.ts";
import { createLog } from "../../src/log.ts";
import { setSessionTimeout } from "../../src/sessions/device/sql.ts";
import { configureRoom } from "../../src/sessions/waiting-room/sql.ts";
import { useApp } from "../support/app.ts";
import { useDatabase } from "../support/database.ts";
import { newSessionId } from "../support/secrets.ts";

const db = useDatabase();
const app = useApp(db);

async function silentFor(seconds: number) {
  const { key, id } = await db.makeKey();
  const session_id = newSessionId();
  expect((await app.post("/api/session/start", { access_key: key, session_id })).status).toBe(200);
  await db.age(id, seconds);
  return { key, id, session_id };
}

const isLive = async ({ key }: { key: string }) =>
  (await app.post("/api/session/status", { access_key: key })).body.active as boolean;
const tick = () => db.sql`SELECT * FROM serve_tick(NULL)`;
/** A second tick within the interval leaves everything to the first. */
const nextTick = () => sleep(600).then(tick);

/** Locks the row, as a forgotten psql does. */
const holdState = () => db.hold("SELECT FROM service_state FOR UPDATE");

it("silence is noticed as ever while somebody holds the service's row", async () => {
  const session = await silentFor(59.5);
  await db.sql`UPDATE service_state SET last_tick = clock_timestamp() - interval '1.5 seconds'`;
  const release = await holdState();
  await tick();
  await sleep(2_000); // the row's own tick is over 3 seconds ago
  expect(await isLive(session)).toBe(false);
  await release();
  await nextTick();
  const [row] = await db.sql`SELECT count(*)::int AS stand_ins FROM service_state_stand_ins`;
  expect(row?.stand_ins).toBe(0);
});

it("an outage is credited though it began and ended while somebody held the service's row", async () => {
  await db.sql`UPDATE service_state SET last_tick = clock_timestamp() - interval '1 second'`;
  const session = await silentFor(80);
  const release = await holdState();
  await tick();
  await db.sql`
    UPDATE service_state_stand_ins
    SET state = state || jsonb_build_object('last_tick', clock_timestamp() - interval '30 seconds')`;
  await tick(); // a gap of 30 s, before which the session was silent for 50 s
  expect(await isLive(session)).toBe(true);
  await release();
  await nextTick();
  expect(await isLive(session)).toBe(true);
  const [row] = await db.sql`SELECT extract(epoch FROM gap_ended - gap_began)::float AS gap FROM service_state`;
  expect(row?.gap).toBeGreaterThan(29);
  await db.sql`UPDATE service_state SET gap_began = NULL, gap_ended = NULL, gaps = '{}'`;
});

it("a start with the same settings waits for nobody who holds the service's or the room's row", async () => {
  const settings = {
    maxActive: 20,
    maxRequests: 10,
    maxWaiting: 10_000,
    seatSeconds: 1800,
    waiterSeconds: 60,
    claimSeconds: 60,
    requestSeconds: 300,
  };
  await configureRoom(db.database, settings);
  const release = [await holdState(), await db.hold("SELECT FROM waiting_room FOR UPDATE")];
  expect(await setSessionTimeout(db.database, 60)).toBeUndefined();
  await configureRoom(db.database, settings);
  await expect(setSessionTimeout(db.database, 61)).rejects.toMatchObject({ code: "unavailable" });
  await Promise.all(release.map((let_) => let_()));
});

it("a start with other settings waits for the row, says so, and has them", async () => {
  const lines: string[] = [];
  const log = createLog("warn", { write: (line: string) => lines.push(line) });
  const release = await holdState();
  const set = untilFree(log, "the session timeout", () => setSessionTimeout(db.database, 61));
  await sleep(2_500);
  await release();
  expect(await set).toBe(60);
  expect(lines.join()).toContain('"waiting_for":"the session timeout"');
  await setSessionTimeout(db.database, 60);
});

it.each(["active_sessions", "waiting_room_places", "waiting_room"])(
  "while nobody's heartbeat can be written for a lock of %s, nobody ticks: it is an outage of ours",
  async (table) => {
    await tick();
    const release = await db.lockTable(table, "SHARE");
    await expect(tick()).rejects.toMatchObject({ code: "55P03" });
    await release();
    await tick();
  },
);
