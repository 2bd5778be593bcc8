/** What is known of a user: the moves, and how to be rid of them. */
import { describe, expect, it } from "vitest";
import { movesPage } from "../../../src/admin/waiting-room/contract.ts";
import { agePlaces, comeIn, expectTrueCounts, newUser } from "../../sessions/waiting-room/support/room.ts";
import { byToken, exactly, readAll } from "../support/admin.ts";
import { newEntries, seatedOf, useRoom } from "./support/room-admin.ts";

const { db, app, room } = useRoom({ maxActive: 1 });

const at = (user: string, more = "") => `/waiting-room/users/${encodeURIComponent(user)}${more}`;
const erase = (user: string) => byToken(app).send("DELETE", at(user));

describe("a user's moves", () => {
  it("tell the whole way, newest first, with how long it took", async () => {
    const [first, user] = (await comeIn(room, 2)) as [string, string];
    await byToken(app).send("PATCH", `/waiting-room/places/${user}`, { priority: 4 });
    await db.sql`UPDATE waiting_room_places SET created_at = created_at - interval '90 seconds' WHERE user_id = ${user}`;
    await room.close(first);
    await room.position(user);
    await agePlaces(db, 1801, [user]);
    const reply = await byToken(app).get(at(user, "/moves"));
    expect(reply.status).toBe(200);
    const { items, next_cursor } = exactly(movesPage, reply.body);
    expect(next_cursor).toBeNull();
    expect(items.map(({ move, priority, waited_seconds }) => [move, priority, waited_seconds])).toEqual([
      ["expired", 4, null],
      ["claimed", 4, null],
      ["promoted", 4, expect.any(Number)],
      ["prioritised", 4, null],
      ["queued", 0, null],
    ]);
    expect(items[2]?.waited_seconds).toBeGreaterThanOrEqual(90);
    expect(items[2]?.waited_seconds).toBeLessThan(120);
  });

  it("come in pages, while more are made", async () => {
    const user = newUser();
    for (let n = 0; n < 6; n++) {
      await room.create(user);
      await room.close(user);
    }
    const before = await db.sql`SELECT id::int FROM waiting_room_moves WHERE user_id = ${user} ORDER BY id DESC`;
    const items = await readAll(
      (cursor) => byToken(app).get(at(user, `/moves?limit=5${cursor}`)),
      async () => {
        await room.create(user);
        await room.close(user);
      },
    );
    expect(items.map((item) => item.id)).toEqual(before.map((row) => row.id));
  });

  it("of somebody who never came are 404, of somebody whose moves are past the retention none", async () => {
    const unknown = await byToken(app).get(at(newUser(), "/moves"));
    expect([unknown.status, unknown.body.code]).toEqual([404, "user_not_found"]);
    const [user] = (await comeIn(room, 1)) as [string];
    await db.sql`DELETE FROM waiting_room_moves`;
    expect((await byToken(app).get(at(user, "/moves"))).body).toEqual({ items: [], next_cursor: null });
  });

  it.each(["limit=0", "cursor=x"])("with %s are 400 invalid_request", async (query) => {
    const reply = await byToken(app).get(at("jun", `/moves?${query}`));
    expect([reply.status, reply.body.code]).toEqual([400, "invalid_request"]);
  });

  it("of an id over 128 characters are 400 invalid_request", async () => {
    const reply = await byToken(app).get(at("u".repeat(129), "/moves"));
    expect([reply.status, reply.body.code]).toEqual([400, "invalid_request"]);
  });
});

describe("erasing a user", () => {
  const traces = async (user: string) => {
    const [row] = await db.sql`
      SELECT (SELECT count(*)::int FROM waiting_room_places WHERE user_id = ${user}) AS places,
             (SELECT count(*)::int FROM waiting_room_permits WHERE user_id = ${user}) AS permits,
             (SELECT count(*)::int FROM waiting_room_moves WHERE user_id = ${user}) AS moves,
             (SELECT count(*)::int FROM audit_log WHERE details::text LIKE '%' || ${user} || '%') AS entries`;
    return row;
  };

  it("leaves no trace of the id, frees the seat for whoever is next, and tells whoever watches", async () => {
    const [user, next] = (await comeIn(room, 2)) as [string, string];
    await byToken(app).post(`/waiting-room/places/${user}/remove`, { reason: `about ${user}` });
    await room.close(next);
    await room.create(user);
    await room.create(next);
    await room.permit(user);
    expect(await traces(user)).toEqual({ places: 1, permits: 1, moves: 3, entries: 1 });
    const stream = await fetch(`${app.url}/api/v1/session/events/${user}`);
    const entries = await newEntries(db);
    const reply = await erase(user);
    expect([reply.status, reply.body]).toEqual([200, { success: true }]);
    expect(await traces(user)).toEqual({ places: 0, permits: 0, moves: 0, entries: 0 });
    expect(await entries()).toEqual([{ who: "token", action: "user_erased", details: null }]);
    expect(await seatedOf(db)).toEqual([next]);
    expect(await stream.text()).toMatch(/event: closed\ndata: .*"reason":"removed"/);
    await expectTrueCounts(db);
    expect((await erase(user)).status).toBe(404);
  });

  it("leaves everybody else as they were", async () => {
    const [a, b, c] = (await comeIn(room, 3)) as [string, string, string];
    await byToken(app).send("PATCH", `/waiting-room/places/${c}`, { priority: 4 });
    const moves = await db.sql`SELECT * FROM waiting_room_moves WHERE user_id IS DISTINCT FROM ${b} ORDER BY id`;
    await erase(b);
    expect(await db.sql`SELECT * FROM waiting_room_moves ORDER BY id`).toEqual(moves);
    expect(await seatedOf(db)).toEqual([a]);
    expect(await traces(c)).toMatchObject({ entries: 1 });
  });

  it("reaches somebody who only waits, and somebody who has long gone", async () => {
    const [, waiter] = (await comeIn(room, 2)) as [string, string];
    expect((await erase(waiter)).status).toBe(200);
    expect(await traces(waiter)).toEqual({ places: 0, permits: 0, moves: 0, entries: 0 });
    const gone = newUser();
    await room.create(gone);
    await room.close(gone);
    expect((await erase(gone)).status).toBe(200);
    expect(await traces(gone)).toEqual({ places: 0, permits: 0, moves: 0, entries: 0 });
  });

  it("of somebody of whom nothing is known is 404, without an entry", async () => {
    const entries = await newEntries(db);
    const reply = await erase(newUser());
    expect([reply.status, reply.body.code]).toEqual([404, "user_not_found"]);
    expect(await entries()).toEqual([]);
  });
});
