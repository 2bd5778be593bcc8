/** Somebody's open transaction in the waiting room. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { eraseUserRow } from "../../../src/sessions/waiting-room/operator-sql.ts";
import { forgetMoves, settleRoom } from "../../../src/sessions/waiting-room/sql.ts";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";

const db = useDatabase();
const app = useApp(db);

const create = (user_id: string) => app.post("/api/v1/session/create", { user_id, session_id: `of-${user_id}` });
const ask = (user: string) => app.get(`/api/v1/session/position/${user}`);
const close = (user: string, grace = "") => app.post(`/api/v1/session/close/${user}${grace}`, {});
const place = async (user: string) =>
  (
    await db.sql`SELECT seated_at IS NOT NULL AS seated, claimed, extract(epoch FROM clock_timestamp() - last_seen)::float AS silent
      FROM waiting_room_places WHERE user_id = ${user}`
  )[0];

let held: Array<() => Promise<void>> = [];
const hold = async (statement: string) => {
  const release = await db.hold(statement);
  held.push(release);
  return release;
};
afterEach(async () => {
  for (const release of held) await release();
  held = [];
});

beforeEach(async () => {
  await db.sql`TRUNCATE waiting_room_places, waiting_room_permits`;
  await db.sql`UPDATE waiting_room SET active = 0, waiting = '{0,0,0,0,0,0,0,0,0,0}', max_active = 1, next_due = 'infinity'`;
});

describe("while somebody holds the room's row", () => {
  it("every call is answered in time and has no effect afterwards", async () => {
    await create("anna");
    const release = await hold("SELECT FROM waiting_room FOR UPDATE");
    const sentAt = performance.now();
    const replies = await Promise.all([create("ben"), close("anna"), close("anna", "?grace_seconds=5")]);
    const tookMs = performance.now() - sentAt;
    await release();
    expect(replies.map(({ status }) => status)).toEqual([503, 503, 503]);
    expect(tookMs).toBeLessThan(3_000);
    await sleep(500);
    expect(await place("ben")).toBeUndefined();
    const anna = await place("anna");
    expect(anna?.seated).toBe(true);
    expect(anna?.silent).toBeLessThan(30); // no grace of 5 s has been set, which dates it back
  });

  it("whoever asks is heard of, though somebody else's time is over and nobody can be let in", async () => {
    for (const user of ["anna", "ben", "carl"]) await create(user);
    await db.sql`UPDATE waiting_room_places SET last_seen = last_seen - interval '50 s' WHERE user_id = 'ben'`;
    await db.sql`UPDATE waiting_room SET next_due = clock_timestamp() + interval '1.5 s'`; // then something is due
    const release = await hold("SELECT FROM waiting_room FOR UPDATE");
    await sleep(1_600);
    expect(await settleRoom(db.database)).toBe(0);
    expect((await ask("ben")).status).toBe(503);
    expect((await place("ben"))?.silent).toBeLessThan(10);
    await release();
    expect((await ask("ben")).body).toMatchObject({ status: "queued", position: 1 });
  });

  it("whoever was let in and asks is no no-show, though the claim cannot be written down", async () => {
    await create("anna");
    await create("ben");
    await close("anna");
    expect(await place("ben")).toMatchObject({ seated: true, claimed: false });
    await db.sql`UPDATE waiting_room_places SET seated_at = seated_at - interval '55 s', last_seen = last_seen - interval '55 s'`;
    const release = await hold("SELECT FROM waiting_room FOR UPDATE");
    expect((await ask("ben")).status).toBe(503);
    await release();
    await db.sql`UPDATE waiting_room_places SET seated_at = seated_at - interval '10 s'`; // 65 s after the seat came up
    await db.sql`UPDATE waiting_room SET next_due = '-infinity'`;
    expect((await ask("ben")).body).toMatchObject({ status: "active" });
  });
});

describe("while somebody holds one place", () => {
  it("the room goes on: the next one is let in, and the held one after", async () => {
    for (const user of ["anna", "ben", "carl"]) await create(user);
    const release = await hold("SELECT FROM waiting_room_places WHERE user_id = 'ben' FOR UPDATE");
    expect((await close("anna")).status).toBe(200);
    expect(await place("carl")).toMatchObject({ seated: true });
    const stuck = ask("ben");
    expect((await ask("carl")).body).toMatchObject({ status: "active" });
    await release();
    await stuck;
    await close("carl");
    expect(await place("ben")).toMatchObject({ seated: true });
  });

  it("no newcomer takes the seat that is its user's next, who gets it as soon as the place is free", async () => {
    for (const user of ["anna", "ben"]) await create(user);
    const release = await hold("SELECT FROM waiting_room_places WHERE user_id = 'ben' FOR UPDATE");
    expect((await close("anna")).status).toBe(200);
    expect((await create("carl")).body).toMatchObject({ status: "queued" });
    await release();
    await expect
      .poll(async () => (await ask("ben")).body, { timeout: 10_000, interval: 200 })
      .toMatchObject({ status: "active" });
    expect((await ask("carl")).body).toMatchObject({ status: "queued", position: 1 });
  });

  it("and its user has fallen silent: the others' calls do not wait for it", async () => {
    await create("anna");
    await create("ben");
    await db.sql`UPDATE waiting_room_places SET last_seen = last_seen - interval '61 s' WHERE user_id = 'ben'`;
    await db.sql`UPDATE waiting_room SET next_due = '-infinity'`;
    const release = await hold("SELECT FROM waiting_room_places WHERE user_id = 'ben' FOR UPDATE");
    expect((await create("carl")).status).toBe(200);
    await release();
    await db.sql`UPDATE waiting_room SET next_due = '-infinity'`;
    await settleRoom(db.database);
    expect(await place("ben")).toBeUndefined();
  });
});

describe("the commit of a call in the room", () => {
  it("may wait for the commits of others as long as the caller does", async () => {
    const [after] = await db.sql.begin(async (sql) => {
      await sql`SELECT take_place(caller_waits(1500, 'anna'::text), 'of-anna', 5)`;
      return sql`SELECT extract(epoch FROM current_setting('lock_timeout')::interval)::float * 1000 AS ms`;
    });
    expect(after?.ms).toBeGreaterThan(1000);
  });

  it("is bound by no function that enters the room", async () => {
    const binding = await db.sql`
      SELECT oid::regprocedure FROM pg_proc
      WHERE pronamespace = current_schema()::regnamespace AND prosrc LIKE '%enter_room()%'
        AND NOT coalesce(proconfig::text LIKE '%lock_timeout%', false)`;
    expect(binding).toEqual([]);
  });
});

it("a user is erased while the cleanup forgets moves of the same user, and neither fails", async () => {
  const by = { who: "a test", from: null };
  for (let round = 0; round < 5; round++) {
    await create("anna");
    await db.sql`
      INSERT INTO waiting_room_moves (at, move, user_id)
      SELECT now() - interval '100 days' - n * interval '1 s', 'left', CASE WHEN n % 2 = 0 THEN 'anna' END
      FROM generate_series(1, 4000) n ORDER BY random()`;
    const [erased] = await Promise.all([eraseUserRow(db.database, "anna", by), forgetMoves(db.database, 90)]);
    expect(erased).toBe(true);
    const [left] = await db.sql`SELECT count(*)::int AS n FROM waiting_room_moves WHERE user_id = 'anna'`;
    expect(left?.n).toBe(0);
  }
});
