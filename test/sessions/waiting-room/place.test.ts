/** Seats and the line, over the routes of one process. */
import { beforeEach, describe, expect, it } from "vitest";
import { createLog } from "../../../src/log.ts";
import { useApp } from "../../support/app.ts";
import { runCleanup } from "../../support/cleanup.ts";
import { useDatabase } from "../../support/database.ts";
import { agePlaces, callRoom, comeIn, expectTrueCounts, newUser, replayMoves, resetRoom } from "./support/room.ts";

const db = useDatabase();
const app = useApp(db);
const room = callRoom(app);
beforeEach(() => resetRoom(db, { maxActive: 2 }));

const standing = async (users: string[]) =>
  Promise.all(users.map(async (user) => (await room.position(user)).body.position ?? "none"));

describe("creating", () => {
  it("gives seats while there are any, then places in line, in the contract's shapes", async () => {
    const user = newUser();
    const first = await room.create(user, { session_id: "mine" });
    expect(first.body).toEqual({
      status: "active",
      session_id: "mine",
      created_at: expect.stringMatching(/T[\d:]+\.\d{3}Z$/),
    });
    await comeIn(room, 1);
    expect((await room.create(newUser())).body).toEqual({
      status: "queued",
      position: 1,
      estimated_wait_minutes: null,
      active_sessions: 2,
      max_sessions: 2,
    });
    expect((await room.create(newUser())).body.position).toBe(2);
    expect((await room.status()).body).toEqual({
      active_sessions: 2,
      max_sessions: 2,
      queue_length: 2,
      available_slots: 0,
      active_requests: 0,
      max_requests: 10,
    });
  });

  it("again while queued or active keeps the place, and a second tab shares it", async () => {
    const [a, , c, d] = (await comeIn(room, 4)) as [string, string, string, string];
    const before = await db.sql`SELECT user_id, ticket, session_id FROM waiting_room_places ORDER BY ticket`;
    expect((await room.create(c)).body).toMatchObject({ status: "queued", position: 1 });
    expect((await room.create(c, { session_id: "another-tab", priority: 9 })).body.position).toBe(1);
    expect((await room.create(d)).body.position).toBe(2);
    expect((await room.create(a, { session_id: "another-tab" })).body.session_id).toBe(before[0]?.session_id);
    expect(await db.sql`SELECT user_id, ticket, session_id FROM waiting_room_places ORDER BY ticket`).toEqual(before);
  });

  it("with a full queue is 503 queue_full with Retry-After, and who waits keeps the place", async () => {
    await resetRoom(db, { maxActive: 1, maxWaiting: 1 });
    const [, waiter] = (await comeIn(room, 2)) as [string, string];
    const refused = await room.create(newUser());
    expect([refused.status, refused.body.code]).toEqual([503, "queue_full"]);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await room.create(waiter)).body.position).toBe(1);
  });

  it.each([
    ["no user", { session_id: "s" }],
    ["an empty user", { user_id: "", session_id: "s" }],
    ["a user of 129 characters", { user_id: "u".repeat(129), session_id: "s" }],
    ["NUL in a user", { user_id: "a\0b", session_id: "s" }],
    ["no session", { user_id: "u" }],
    ["priority 10", { user_id: "u", session_id: "s", priority: 10 }],
    ["priority -1", { user_id: "u", session_id: "s", priority: -1 }],
    ["priority 1.5", { user_id: "u", session_id: "s", priority: 1.5 }],
  ])("with %s is 400 invalid_request with issues", async (_, body) => {
    const refused = await room.call("POST", "/create", body);
    expect([refused.status, refused.body.code]).toEqual([400, "invalid_request"]);
    expect(refused.body.issues[0]).toMatchObject({ path: expect.any(String), message: expect.any(String) });
  });

  it("takes user ids of 128 characters and of any alphabet, in the body and in the path", async () => {
    for (const user of ["ü/%?#& 한국어 😀", "😀".repeat(128)]) {
      expect((await room.create(user)).status).toBe(200);
      expect((await room.position(user)).body).toEqual({ user_id: user, position: 0, status: "active" });
      expect((await room.close(user)).body.user_id).toBe(user);
    }
  });
});

describe("leaving", () => {
  it("a seat lets the first in line in before the reply; twice is harmless; unknown users too", async () => {
    const [a, b, c, d] = (await comeIn(room, 4)) as [string, string, string, string];
    expect((await room.close(a)).body).toEqual({ message: expect.any(String), user_id: a });
    expect(await db.sql`SELECT user_id FROM waiting_room_places WHERE seated_at IS NOT NULL ORDER BY ticket`).toEqual([
      { user_id: b },
      { user_id: c },
    ]);
    expect((await room.close(a)).status).toBe(200);
    expect((await room.close(newUser())).status).toBe(200);
    expect(await standing([b, c, d])).toEqual([0, 0, 1]);
    await expectTrueCounts(db);
  });

  it("the line moves up everybody behind", async () => {
    const users = await comeIn(room, 6);
    expect((await room.call("POST", `/close/${users[3]}`)).status).toBe(200);
    expect(await standing(users)).toEqual([0, 0, 1, "none", 2, 3]);
    const unknown = await room.position(users[3] as string);
    expect([unknown.status, unknown.body.code]).toEqual([404, "user_not_found"]);
  });
});

describe("the order", () => {
  it("is by priority first and by ticket within it", async () => {
    await comeIn(room, 2);
    const [n1] = await comeIn(room, 1);
    const [v1] = await comeIn(room, 1, { priority: 5 });
    const [n2] = await comeIn(room, 1);
    const [v2] = await comeIn(room, 1, { priority: 5 });
    const [top] = await comeIn(room, 1, { priority: 9 });
    const line = [top, v1, v2, n1, n2] as string[];
    expect(await standing(line)).toEqual([1, 2, 3, 4, 5]);
    await db.sql`SELECT set_capacity(7)`;
    const promoted = await db.sql`SELECT user_id FROM waiting_room_moves WHERE move = 'promoted' ORDER BY id`;
    expect(promoted.map((row) => row.user_id)).toEqual(line);
    expect(await replayMoves(db)).toMatchObject({ promotions: 5, inversions: 0 });
  });

  it("of 20 active and 30 queued, of whom 11 to 20 vanish, lets everybody else in without a gap", async () => {
    await resetRoom(db);
    const seated = await comeIn(room, 20);
    const line = await comeIn(room, 30);
    const left = [...line.slice(0, 10), ...line.slice(20)];
    await agePlaces(db, 50, line);
    await standing(left);
    await agePlaces(db, 11, line);
    for (const [index, user] of seated.entries()) {
      expect((await room.close(user)).status).toBe(200);
      expect((await room.position(left[index] as string)).body, `seat ${index + 1}`).toMatchObject({
        status: "active",
      });
    }
    expect((await room.status()).body).toMatchObject({ active_sessions: 20, queue_length: 0 });
    expect(await replayMoves(db)).toMatchObject({ promotions: 20, inversions: 0 });
  });
});

describe("time", () => {
  it("a waiter is kept at 59 s of silence and passed over at 61", async () => {
    const users = await comeIn(room, 4);
    await agePlaces(db, 59, users.slice(2));
    expect(await standing(users.slice(2, 3))).toEqual([1]); // asked, so counted anew
    await agePlaces(db, 2, users.slice(2));
    expect(await standing(users.slice(2))).toEqual([1, "none"]);
  });

  it("who is let in has 60 s to show up; then the next one is in", async () => {
    const [a, , c, d] = (await comeIn(room, 4)) as [string, string, string, string];
    await room.close(a);
    await agePlaces(db, 59, [c]);
    expect((await room.status()).body).toMatchObject({ active_sessions: 2, queue_length: 1 });
    await agePlaces(db, 2, [c]);
    expect((await room.position(d)).body).toMatchObject({ status: "active" });
    expect((await room.position(c)).status).toBe(404);
    // d has shown up, so only silence of 30 minutes costs the seat.
    await agePlaces(db, 1700, [d]);
    expect((await room.position(d)).body).toMatchObject({ status: "active" });
  });

  it("a silent active user loses the seat after 30 minutes, and not before", async () => {
    const [a, b, c] = (await comeIn(room, 3)) as [string, string, string];
    await agePlaces(db, 1799, [a, b]);
    expect(await standing([b, c])).toEqual([0, 1]);
    await agePlaces(db, 2, [a, b]);
    expect(await standing([c, b])).toEqual([0, 0]);
    expect((await room.position(a)).status).toBe(404);
  });

  it("the cleanup, POST /cleanup and the room's own clock do what a call would have done", async () => {
    const silent = async () => {
      await resetRoom(db, { maxActive: 1 });
      const [a, b] = (await comeIn(room, 2)) as [string, string];
      await agePlaces(db, 1801, [a]);
      return b;
    };
    const seated = (user: string) => db.sql`
      SELECT FROM waiting_room_places WHERE user_id = ${user} AND seated_at IS NOT NULL`;
    /** The room's own clock goes on beside, and may be the first: again, then. */
    const untilIt = async (removes: () => Promise<boolean>) => {
      let next = await silent();
      while (!(await removes())) next = await silent();
      expect(await seated(next)).toHaveLength(1);
    };
    const options = { historyRetentionDays: 90, budgetMs: 1000, asked: true };
    await untilIt(async () => (await runCleanup(db.database, createLog("silent"), options)).places === 1);
    await untilIt(async () => {
      const { body } = await room.call("POST", "/cleanup");
      expect(body).toEqual({ message: expect.any(String), current_status: (await room.status()).body });
      return /\b1 place/.test(body.message);
    });
    const next = await silent();
    await expect.poll(() => seated(next)).toHaveLength(1);
  });

  it("in which nobody served counts against nobody", async () => {
    const users = await comeIn(room, 4);
    await agePlaces(db, 100, users);
    await db.sql`
      UPDATE service_state SET last_tick = clock_timestamp(), gap_ended = clock_timestamp() - interval '1 second',
                               gap_began = clock_timestamp() - interval '91 seconds'`;
    expect(await standing(users)).toEqual([0, 0, 1, 2]);
    await agePlaces(db, 61, users.slice(2));
    await db.sql`UPDATE service_state SET last_tick = NULL, gap_began = NULL, gap_ended = NULL`;
    expect(await standing(users)).toEqual([0, 0, "none", "none"]);
  });

  it("in which nobody served is not given once more to those who came back after it", async () => {
    const users = await comeIn(room, 3);
    // Everybody has asked again since the outage; a look at the room then says when it is due next.
    await db.sql`
      UPDATE service_state SET last_tick = clock_timestamp(), gap_ended = clock_timestamp() - interval '1 second',
                               gap_began = clock_timestamp() - interval '91 seconds'`;
    await standing(users);
    await db.sql`UPDATE waiting_room SET next_due = clock_timestamp()`;
    await room.status();
    await agePlaces(db, 61, users.slice(2));
    await db.sql`
      UPDATE service_state SET last_tick = clock_timestamp(), gap_ended = gap_ended - interval '61 seconds',
                               gap_began = gap_began - interval '61 seconds'`;
    // The room's own clock may have looked between the two.
    await db.sql`UPDATE waiting_room SET next_due = clock_timestamp()`;
    expect((await room.status()).body.queue_length).toBe(0);
    await db.sql`UPDATE service_state SET last_tick = NULL, gap_began = NULL, gap_ended = NULL`;
  });
});

describe("the number of seats", () => {
  it("raised lets in exactly so many, lowered throws nobody out and lets nobody in until there is room", async () => {
    const users = await comeIn(room, 6);
    await db.sql`SELECT set_capacity(4)`;
    expect(await standing(users)).toEqual([0, 0, 0, 0, 1, 2]);
    await db.sql`SELECT set_capacity(3)`;
    expect((await room.status()).body).toMatchObject({ active_sessions: 4, max_sessions: 3, available_slots: 0 });
    await room.close(users[0] as string);
    expect(await standing(users.slice(1))).toEqual([0, 0, 0, 1, 2]);
    await room.close(users[1] as string);
    expect(await standing(users.slice(2))).toEqual([0, 0, 0, 1]);
  });

  it("that an operator set outlives a restart with the same settings", async () => {
    await db.sql`SELECT set_capacity(5)`;
    await db.sql`SELECT configure_room(2, 10, 10000, 1800, 60, 60, 300)`;
    expect((await room.status()).body.max_sessions).toBe(5);
    await db.sql`SELECT configure_room(3, 10, 10000, 1800, 60, 60, 300)`;
    expect((await room.status()).body.max_sessions).toBe(3);
  });

  it("while paused nobody is let in, and all of them in order afterwards", async () => {
    const [a, b, c, d] = (await comeIn(room, 4)) as [string, string, string, string];
    await db.sql`SELECT pause_room(true)`;
    await room.close(a);
    expect((await room.create(newUser())).body).toMatchObject({ status: "queued", position: 3 });
    expect(await standing([b, c, d])).toEqual([0, 1, 2]);
    await db.sql`SELECT pause_room(false)`;
    expect(await standing([b, c, d])).toEqual([0, 0, 1]);
  });
});

describe("the operator's hand", () => {
  it("lets somebody in past the line but not past the seats, and gives another priority at the old ticket", async () => {
    const [a, b, c, d, e] = (await comeIn(room, 5)) as [string, string, string, string, string];
    expect(await db.sql`SELECT admit_waiter(${e}) AS outcome`).toEqual([{ outcome: "full" }]);
    expect(await db.sql`SELECT admit_waiter(${a}) AS outcome`).toEqual([{ outcome: "not_waiting" }]);
    await db.sql`SELECT prioritise_waiter(${e}, 1), prioritise_waiter(${d}, 1)`;
    expect(await standing([d, e, c])).toEqual([1, 2, 3]);
    await db.sql`SELECT pause_room(true)`;
    await room.close(b);
    expect(await db.sql`SELECT admit_waiter(${c}) AS outcome`).toEqual([{ outcome: "admitted" }]);
    expect(await standing([a, c, d, e])).toEqual([0, 0, 1, 2]);
    expect(await replayMoves(db)).toMatchObject({ inversions: 0, mostSeated: 2 });
    await expectTrueCounts(db);
  });
});

describe("the estimate", () => {
  it("is null until a seat was given up, then position times the time between two, in whole minutes", async () => {
    const [a, , c, d] = (await comeIn(room, 4)) as [string, string, string, string];
    expect((await room.position(c)).body.estimated_wait_minutes).toBe(null);
    await db.sql`UPDATE waiting_room SET occupied_since = clock_timestamp() - interval '10 minutes'`;
    await room.close(a);
    // One seat in 10 minutes: the first in line waits about 10 (a moment over).
    expect((await room.position(d)).body).toMatchObject({ position: 1, estimated_wait_minutes: 11 });
    const [e] = await comeIn(room, 1);
    expect((await room.position(e as string)).body).toMatchObject({ position: 2, estimated_wait_minutes: 21 });
    await db.sql`
      UPDATE waiting_room SET occupied_since = clock_timestamp() - interval '3 hours',
                              vacated = ARRAY[clock_timestamp() - interval '61 minutes']`;
    expect((await room.position(d)).body.estimated_wait_minutes).toBe(null);
  });
});
