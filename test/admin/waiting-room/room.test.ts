/** The room as a whole, as operators change it: pause, seats, and who gets in by it. */
import { describe, expect, it } from "vitest";
import { roomReply } from "../../../src/admin/waiting-room/contract.ts";
import { configureRoom } from "../../../src/sessions/waiting-room/sql.ts";
import {
  agePlaces,
  comeIn,
  expectTrueCounts,
  replayMoves,
  SETTINGS,
} from "../../sessions/waiting-room/support/room.ts";
import { byToken, exactly } from "../support/admin.ts";
import { newEntries, seatedOf, useRoom } from "./support/room-admin.ts";

const { db, app, room } = useRoom({ maxActive: 2 });

const patch = (body: unknown) => byToken(app).send("PATCH", "/waiting-room", body);
const read = async () => exactly(roomReply, (await byToken(app).get("/waiting-room")).body);

describe("the waiting room as operators see it", () => {
  it("has its settings, its counts, and how long a newcomer would wait", async () => {
    expect(await read()).toEqual({
      paused: false,
      active: 0,
      max_active: 2,
      max_active_configured: 2,
      waiting: 0,
      waiting_by_priority: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
      max_waiting: 10_000,
      active_requests: 0,
      max_requests: 10,
      seat_seconds: 1800,
      waiter_seconds: 60,
      claim_seconds: 60,
      request_seconds: 300,
      seconds_per_seat: null,
      estimated_wait_minutes: 0,
    });
    const [a] = await comeIn(room, 3);
    await comeIn(room, 2, { priority: 7 });
    await room.permit(a as string);
    expect(await read()).toMatchObject({
      active: 2,
      waiting: 3,
      waiting_by_priority: [1, 0, 0, 0, 0, 0, 0, 2, 0, 0],
      active_requests: 1,
      seconds_per_seat: null,
      estimated_wait_minutes: null,
    });
    await db.sql`UPDATE waiting_room SET occupied_since = occupied_since - interval '10 minutes'`;
    await room.close(a as string);
    const { seconds_per_seat, estimated_wait_minutes } = await read();
    expect(seconds_per_seat).toBeGreaterThan(590);
    expect(seconds_per_seat).toBeLessThan(620);
    expect(estimated_wait_minutes).toBe(Math.ceil((3 * (seconds_per_seat as number)) / 60));
  });

  it("counts nobody whose time is over, though nobody called since", async () => {
    await comeIn(room, 4);
    await agePlaces(db, 61);
    expect(await read()).toMatchObject({ active: 2, waiting: 0 });
  });
});

describe("the number of seats", () => {
  it("raised by three lets in exactly three, by priority and then in the order of tickets", async () => {
    const users = await comeIn(room, 5);
    const [vip] = await comeIn(room, 1, { priority: 4 });
    const reply = await patch({ max_active: 5 });
    expect(reply.status).toBe(200);
    expect(exactly(roomReply, reply.body)).toMatchObject({ active: 5, max_active: 5, waiting: 1 });
    expect(await seatedOf(db)).toEqual([...users.slice(0, 4), vip].sort());
    const { promotions, inversions } = await replayMoves(db);
    expect([promotions, inversions]).toEqual([3, 0]);
    await expectTrueCounts(db);
  });

  it("lowered throws nobody out, and lets nobody in before there are fewer", async () => {
    await patch({ max_active: 4 });
    const users = await comeIn(room, 6);
    expect((await patch({ max_active: 2 })).body).toMatchObject({ active: 4, max_active: 2, waiting: 2 });
    await room.close(users[0] as string);
    await room.close(users[1] as string);
    expect(await seatedOf(db)).toEqual(users.slice(2, 4).sort());
    await room.close(users[2] as string);
    expect(await seatedOf(db)).toEqual([users[3], users[4]].sort());
  });

  it("may be none: then nobody comes in, and nobody can say how long it takes", async () => {
    const [user] = await comeIn(room, 1);
    expect((await patch({ max_active: 0 })).body).toMatchObject({ active: 1, estimated_wait_minutes: null });
    await room.close(user as string);
    expect((await room.create("late")).body.status).toBe("queued");
  });

  it("stays over a restart, until the configured number is another", async () => {
    await patch({ max_active: 9 });
    await configureRoom(db.database, { ...SETTINGS, maxActive: 2 });
    expect(await read()).toMatchObject({ max_active: 9, max_active_configured: 2 });
    await configureRoom(db.database, { ...SETTINGS, maxActive: 3 });
    expect(await read()).toMatchObject({ max_active: 3, max_active_configured: 3 });
  });

  it("raised to 1,000 with 1,000 waiting fills every seat, in order", async () => {
    await db.sql`SELECT take_place(caller_waits(60000, 'crowd-' || n), 's', 0) FROM generate_series(1, 1002) n`;
    expect((await patch({ max_active: 1002 })).body).toMatchObject({ active: 1002, waiting: 0 });
    const { promotions, inversions } = await replayMoves(db);
    expect([promotions, inversions]).toEqual([1000, 0]);
    await expectTrueCounts(db);
  });
});

describe("a pause", () => {
  it("lets nobody in and keeps every place; resuming fills the free seats at once", async () => {
    const users = await comeIn(room, 4);
    expect((await patch({ paused: true })).body).toMatchObject({ paused: true, estimated_wait_minutes: null });
    await room.close(users[0] as string);
    await room.close(users[1] as string);
    expect(await read()).toMatchObject({ active: 0, waiting: 2 });
    expect((await room.create("newcomer")).body).toMatchObject({ status: "queued", position: 3 });
    expect((await patch({ paused: false })).body).toMatchObject({ paused: false, active: 2, waiting: 1 });
    expect(await seatedOf(db)).toEqual(users.slice(2, 4).sort());
    await replayMoves(db);
  });

  it("together with more seats lets nobody slip in, and its end together with fewer nobody too many", async () => {
    await comeIn(room, 6);
    expect((await patch({ paused: true, max_active: 4 })).body).toMatchObject({ active: 2, max_active: 4, waiting: 4 });
    expect((await patch({ paused: false, max_active: 3 })).body).toMatchObject({
      active: 3,
      max_active: 3,
      waiting: 3,
    });
    expect((await replayMoves(db)).mostSeated).toBe(3);
  });
});

describe("a change of the room", () => {
  it("stands in the audit log with who did it and what was; what changes nothing does not", async () => {
    const entries = await newEntries(db);
    await patch({ max_active: 5 });
    await patch({ paused: true, max_active: 5 });
    await patch({ paused: true });
    expect(await entries()).toEqual([
      { who: "token", action: "waiting_room_changed", details: { max_active: 5, max_active_before: 2 } },
      { who: "token", action: "waiting_room_changed", details: { paused: true } },
    ]);
    const { body } = await byToken(app).get("/audit?limit=1");
    expect(body.items[0]).toMatchObject({ action: "waiting_room_changed", key_id: null, from: "127.0.0.1" });
  });

  it.each([
    ["nothing", {}],
    ["a pause that is no boolean", { paused: "yes" }],
    ["minus one seat", { max_active: -1 }],
    ["half a seat", { max_active: 1.5 }],
    ["more than a million seats", { max_active: 1_000_001 }],
    ["a number as text", { max_active: "5" }],
  ])("to %s is 400 invalid_request, and changes nothing", async (_, body) => {
    const before = await read();
    const reply = await patch(body);
    expect([reply.status, reply.body.code]).toEqual([400, "invalid_request"]);
    expect(await read()).toEqual(before);
  });

  it("that meets a held room is 503, and has not happened", async () => {
    const free = await holdRoom();
    const reply = await patch({ max_active: 7 }).finally(free);
    expect([reply.status, reply.body.code]).toEqual([503, "unavailable"]);
    expect((await read()).max_active).toBe(2);
  });
});

/** Holds the room's lock, as a slow call does. */
async function holdRoom(): Promise<() => Promise<void>> {
  const client = await db.sql.reserve();
  await client`BEGIN`;
  await client`SELECT FROM waiting_room FOR UPDATE`;
  return async () => {
    await client`ROLLBACK`;
    client.release();
  };
}
