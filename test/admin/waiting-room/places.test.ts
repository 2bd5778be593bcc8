/** Single places in an operator's hands: found, moved up, let in, taken away. */
import { describe, expect, it } from "vitest";
import { placeItem, placesPage } from "../../../src/admin/waiting-room/contract.ts";
import { comeIn, expectTrueCounts, newUser, replayMoves, resetRoom } from "../../sessions/waiting-room/support/room.ts";
import { byToken, exactly, readAll } from "../support/admin.ts";
import { newEntries, seatedOf, useRoom } from "./support/room-admin.ts";

const { db, app, room } = useRoom({ maxActive: 2 });

const at = (user: string, more = "") => `/waiting-room/places/${encodeURIComponent(user)}${more}`;
const list = async (query = "") => {
  const reply = await byToken(app).get(`/waiting-room/places?${query}`);
  expect(reply.status).toBe(200);
  return exactly(placesPage, reply.body);
};
const idsOf = (page: { items: { user_id: string }[] }) => page.items.map((item) => item.user_id);
const prioritise = (user: string, priority: unknown) => byToken(app).send("PATCH", at(user), { priority });
const admit = (user: string) => byToken(app).post(at(user, "/admit"));
const remove = (user: string, body?: object) => byToken(app).post(at(user, "/remove"), body);

describe("the list of places", () => {
  it("has the seats by ticket, then the line by priority and ticket, each waiter with the position", async () => {
    const [a, b, c, d] = (await comeIn(room, 4)) as [string, string, string, string];
    const [vip] = await comeIn(room, 1, { priority: 3 });
    const page = await list();
    expect(page.next_cursor).toBeNull();
    expect(page.items.map(({ user_id, state, position, priority }) => [user_id, state, position, priority])).toEqual([
      [a, "seated", null, 0],
      [b, "seated", null, 0],
      [vip, "waiting", 1, 3],
      [c, "waiting", 2, 0],
      [d, "waiting", 3, 0],
    ]);
    expect(page.items[0]).toMatchObject({ claimed: true, seated_at: page.items[0]?.created_at });
    expect(page.items[2]).toMatchObject({ claimed: null, seated_at: null });
    await room.close(a);
    expect((await list("state=seated")).items[1]).toMatchObject({ user_id: vip, claimed: false });
  });

  it("is narrowed by state and by the beginning of the user's id; the position stays that in the whole line", async () => {
    await comeIn(room, 3);
    await room.create("100%_sure");
    await room.create("100 others");
    expect(idsOf(await list("state=seated"))).toHaveLength(2);
    expect(idsOf(await list("state=waiting"))).toHaveLength(3);
    expect((await list("user=100")).items.map((item) => item.position)).toEqual([2, 3]);
    expect((await list("user=100%25_&state=waiting")).items).toMatchObject([{ user_id: "100%_sure", position: 2 }]);
    expect(idsOf(await list("user=nobody"))).toEqual([]);
    expect(idsOf(await list("user="))).toHaveLength(5);
  });

  it("comes in pages that neither repeat nor lose anybody while others poll, come and go", async () => {
    await comeIn(room, 2);
    const users = await comeIn(room, 20, { priority: 1 });
    const others = await comeIn(room, 10);
    const gone = [users[1], users[12], others[3]] as string[];
    const later: string[] = [];
    let turn = 0;
    const items = await readAll(
      (cursor) => byToken(app).get(`/waiting-room/places?state=waiting&limit=7${cursor}`),
      async () => {
        for (const user of users.slice(14)) await room.position(user);
        if (turn++ > 0) return;
        for (const user of gone) await room.close(user);
        later.push(...(await comeIn(room, 2)));
      },
    );
    const expected = [
      ...users.slice(0, 12),
      ...users.slice(13),
      ...others.filter((user) => user !== gone[2]),
      ...later,
    ];
    expect(items.map((item) => item.user_id)).toEqual(expected);
  });

  it("keeps nobody's place", async () => {
    await comeIn(room, 3);
    const seen = () => db.sql`SELECT user_id, last_seen::text FROM waiting_room_places ORDER BY ticket`;
    const before = await seen();
    const [, , last] = idsOf(await list());
    await byToken(app).get(at(last as string));
    expect(await seen()).toEqual(before);
  });

  it.each(["limit=0", "limit=501", "limit=x", "cursor=-1", "cursor=abc", "state=gone", `user=${"u".repeat(129)}`])(
    "with %s is 400 invalid_request",
    async (query) => {
      const reply = await byToken(app).get(`/waiting-room/places?${query}`);
      expect([reply.status, reply.body.code]).toEqual([400, "invalid_request"]);
    },
  );
});

describe("a priority given by hand", () => {
  it("moves the waiter among the new equals to where they came, and the next seat goes by it", async () => {
    const [a, , c, d, e] = (await comeIn(room, 5)) as [string, string, string, string, string];
    expect(exactly(placeItem, (await prioritise(e, 5)).body)).toMatchObject({ position: 1, priority: 5 });
    expect((await prioritise(d, 5)).body).toMatchObject({ position: 1 });
    expect(idsOf(await list("state=waiting"))).toEqual([d, e, c]);
    expect((await prioritise(d, 0)).body).toMatchObject({ position: 3, priority: 0 });
    await room.close(a);
    expect(await seatedOf(db)).toContain(e);
    await expectTrueCounts(db);
    expect((await replayMoves(db)).inversions).toBe(0);
  });

  it("is refused to whoever has a seat, and to whoever has no place", async () => {
    const [a] = (await comeIn(room, 1)) as [string];
    const seated = await prioritise(a, 5);
    expect([seated.status, seated.body.code]).toEqual([409, "not_waiting"]);
    const unknown = await prioritise(newUser(), 5);
    expect([unknown.status, unknown.body.code]).toEqual([404, "user_not_found"]);
    expect((await byToken(app).get(at(a))).body.priority).toBe(0);
  });

  it.each([-1, 10, 1.5, "5", null, undefined])("of %s is 400 invalid_request", async (priority) => {
    const [, , c] = (await comeIn(room, 3)) as [string, string, string];
    const reply = await prioritise(c, priority);
    expect([reply.status, reply.body.code]).toEqual([400, "invalid_request"]);
  });
});

describe("letting in by hand", () => {
  it("goes past the line and past a pause, and the user is told", async () => {
    const [a, b, c, d] = (await comeIn(room, 4)) as [string, string, string, string];
    await byToken(app).send("PATCH", "/waiting-room", { paused: true });
    await room.close(a);
    const reply = await admit(d);
    expect(reply.status).toBe(200);
    expect(exactly(placeItem, reply.body)).toMatchObject({
      user_id: d,
      state: "seated",
      position: null,
      claimed: false,
    });
    expect((await room.position(d)).body).toEqual({ user_id: d, position: 0, status: "active" });
    expect((await byToken(app).get(at(d))).body.claimed).toBe(true);
    expect(await seatedOf(db)).toEqual([b, d].sort());
    expect((await room.position(c)).body.position).toBe(1);
  });

  it("never goes past the number of seats, and changes nothing where it is refused", async () => {
    const [a, , c] = (await comeIn(room, 3)) as [string, string, string];
    const before = await db.sql`SELECT count(*) AS n FROM waiting_room_moves`;
    const full = await admit(c);
    expect([full.status, full.body.code]).toEqual([409, "room_full"]);
    const seated = await admit(a);
    expect([seated.status, seated.body.code]).toEqual([409, "not_waiting"]);
    const unknown = await admit(newUser());
    expect([unknown.status, unknown.body.code]).toEqual([404, "user_not_found"]);
    expect(await db.sql`SELECT count(*) AS n FROM waiting_room_moves`).toEqual(before);
  });

  it("never goes past the number of seats while 40 users come and 20 are let in at once", async () => {
    await resetRoom(db, { maxActive: 10 });
    await byToken(app).send("PATCH", "/waiting-room", { paused: true });
    const waiters = await comeIn(room, 20);
    const newcomers = Array.from({ length: 40 }, () => newUser("racer"));
    const [, ...admissions] = await Promise.all([
      byToken(app).send("PATCH", "/waiting-room", { paused: false }),
      ...waiters.toReversed().map((user) => admit(user)),
      ...newcomers.map((user) => room.create(user)),
    ]);
    expect(new Set(admissions.slice(0, 20).map(({ status }) => status))).not.toContain(500);
    expect(admissions.slice(20).map(({ status }) => status)).toEqual(Array(40).fill(200));
    // replayMoves holds every single move to the number of seats.
    expect((await replayMoves(db)).mostSeated).toBe(10);
    expect(await seatedOf(db)).toHaveLength(10);
    await expectTrueCounts(db);
  });
});

describe("taking a place away", () => {
  it("gives the seat to whoever is next, and tells whoever had it", async () => {
    const [a, b, c, d] = (await comeIn(room, 4)) as [string, string, string, string];
    const stream = await fetch(`${app.url}/api/v1/session/events/${a}`);
    const reply = await remove(a, { reason: "asked for it" });
    expect([reply.status, reply.body]).toEqual([200, { success: true }]);
    expect(await seatedOf(db)).toEqual([b, c].sort());
    expect((await room.position(a)).status).toBe(404);
    expect(await stream.text()).toMatch(/event: closed\ndata: .*"reason":"removed"/);
    expect((await remove(d)).status).toBe(200);
    expect(idsOf(await list("state=waiting"))).toEqual([]);
    expect((await room.create(a)).body).toMatchObject({ status: "queued", position: 1 });
    await replayMoves(db);
    await expectTrueCounts(db);
  });

  it("of somebody who has none is 404, and a reason over 200 characters 400", async () => {
    const unknown = await remove(newUser(), {});
    expect([unknown.status, unknown.body.code]).toEqual([404, "user_not_found"]);
    const [a] = (await comeIn(room, 1)) as [string];
    const long = await remove(a, { reason: "r".repeat(201) });
    expect([long.status, long.body.code]).toEqual([400, "invalid_request"]);
    expect((await byToken(app).get(at(a))).status).toBe(200);
  });
});

describe("what operators do to places", () => {
  it("stands in the audit log once for each change, with the user, and not at all where it was refused", async () => {
    const entries = await newEntries(db);
    const [a, , c, d] = (await comeIn(room, 4)) as [string, string, string, string];
    await prioritise(d, 5);
    await admit(c);
    await remove(a, { reason: "asked for it" });
    await remove(a);
    await byToken(app).send("PATCH", "/waiting-room", { max_active: 3, paused: true });
    await admit(c);
    await remove(d);
    expect(await entries()).toEqual([
      { who: "token", action: "waiter_prioritised", details: { user_id: d, priority: 5 } },
      { who: "token", action: "place_removed", details: { user_id: a, reason: "asked for it" } },
      {
        who: "token",
        action: "waiting_room_changed",
        details: { paused: true, max_active: 3, max_active_before: 2 },
      },
      { who: "token", action: "waiter_admitted", details: { user_id: c } },
      { who: "token", action: "place_removed", details: { user_id: d, reason: null } },
    ]);
  });

  it("reaches users with any name", async () => {
    const user = "a/b?c=%41 ü…😀";
    expect((await room.create(user)).status).toBe(200);
    expect((await byToken(app).get(at(user))).body.user_id).toBe(user);
    expect((await remove(user)).status).toBe(200);
  });
});
