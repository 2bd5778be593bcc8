/** The event streams: calls go to one process, streams are open at another. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openListener } from "../../../src/database/listener.ts";
import { createLog } from "../../../src/log.ts";
import { openLine } from "../../../src/sessions/waiting-room/line.ts";
import { useDatabase } from "../../support/database.ts";
import { type RunningServer, startServer } from "../../support/process.ts";
import { type Watch, watchStream } from "../../support/watch.ts";
import { agePlaces, callRoom, comeIn, newUser, ROUTE, resetRoom } from "./support/room.ts";

const db = useDatabase();
let here: RunningServer;
let there: RunningServer;
let room: ReturnType<typeof callRoom>;
const open = new Set<Watch>();

beforeAll(async () => {
  const env = { DATABASE_URL: db.url, CLEANUP_CRON: "", QUEUE_WAITER_TIMEOUT_SECONDS: "2" };
  [here, there] = await Promise.all([startServer(env), startServer(env)]);
  room = callRoom(there);
});
beforeEach(() => resetRoom(db, { maxActive: 2 }));
afterEach(() => {
  for (const stream of open) stream.stop();
  open.clear();
});
afterAll(async () => {
  for (const server of [here, there]) expect(await server.stop()).toBe(0);
});

async function watchPlace(user: string, at = here): Promise<Watch> {
  const stream = await watchStream(`${at.url}${ROUTE}/events/${encodeURIComponent(user)}`);
  open.add(stream);
  return stream;
}
/** What a stream has said, as "event position". */
const said = (stream: Watch) => stream.events.map(({ event, data }) => [event, data.position ?? data.reason].join(" "));
const expectSaid = (stream: Watch, words: string[]) => expect.poll(() => said(stream), { interval: 10 }).toEqual(words);

describe("GET /events/{user_id}", () => {
  it("says where a waiter stands, then every move of the line, and promoted", async () => {
    const [a, b, c, , e] = (await comeIn(room, 5)) as [string, string, string, string, string];
    const stream = await watchPlace(e);
    expect(stream.events[0]).toMatchObject({
      event: "position",
      data: { user_id: e, position: 3, status: "queued", estimated_wait_minutes: null },
    });
    await room.close(c);
    await expectSaid(stream, ["position 3", "position 2"]);
    await room.close(a);
    await expectSaid(stream, ["position 3", "position 2", "position 1"]);
    expect(stream.events[2]?.data.estimated_wait_minutes).toBe(1);
    await room.close(b);
    await expectSaid(stream, ["position 3", "position 2", "position 1", "promoted 0"]);
    expect(stream.events[3]?.data).toEqual({ user_id: e, position: 0, status: "active" });
  });

  it("says so when the place falls back behind a VIP, or comes forward by an operator's hand", async () => {
    const [, , c, d] = (await comeIn(room, 4)) as [string, string, string, string];
    const stream = await watchPlace(d);
    await comeIn(room, 1, { priority: 9 });
    await expectSaid(stream, ["position 2", "position 3"]);
    await db.sql`SELECT prioritise_waiter(${d}, 9)`;
    await expectSaid(stream, ["position 2", "position 3", "position 1"]);
    await db.sql`SELECT set_capacity(3)`;
    await expectSaid(stream, ["position 2", "position 3", "position 1", "promoted 0"]);
    expect((await room.position(c)).body.position).toBe(2);
  });

  it("says nothing where nothing has changed for this user", async () => {
    const [, , c] = (await comeIn(room, 3)) as [string, string, string];
    const stream = await watchPlace(c);
    const last = await watchPlace((await comeIn(room, 1))[0] as string);
    await comeIn(room, 1);
    await room.close((await comeIn(room, 1))[0] as string);
    await room.position(c);
    await db.sql`SELECT pause_room(true)`;
    await db.sql`SELECT pause_room(false)`;
    // A change that is for the other one: when it was told, all before was looked at.
    await db.sql`SELECT prioritise_waiter(user_id, 0) FROM waiting_room_places WHERE user_id = ${c}`;
    await room.create(newUser(), { priority: 0 });
    await sleep(300);
    expect([said(stream), said(last)]).toEqual([["position 1"], ["position 2"]]);
  });

  it("says position 0 to who has a seat, and to every tab of a user the same", async () => {
    const [a, , c] = (await comeIn(room, 3)) as [string, string, string];
    expect((await watchPlace(a)).events[0]).toMatchObject({
      event: "position",
      data: { position: 0, status: "active" },
    });
    const tabs = await Promise.all([here, here, there].map((server) => watchPlace(c, server)));
    await room.close(a);
    for (const tab of tabs) await expectSaid(tab, ["position 1", "promoted 0"]);
  });

  it("ends with closed: by the user from the seat or from the line, or removed by an operator", async () => {
    const [a, b, c, d] = (await comeIn(room, 4)) as [string, string, string, string];
    const streams = await Promise.all([a, b, d].map((user) => watchPlace(user)));
    await room.close(d);
    await room.close(a);
    await db.sql`SELECT leave_place(${b}, true)`;
    const last = await Promise.all(streams.map((stream) => stream.done));
    expect(last.map((event) => [event?.event, event?.data.reason])).toEqual([
      ["closed", "closed"],
      ["closed", "removed"],
      ["closed", "left"],
    ]);
    expect(last[0]?.data).toEqual({ user_id: a, reason: "closed", at: expect.stringMatching(/\.\d{3}Z$/) });
    expect((await room.position(c)).body.position).toBe(0);
  });

  it("ends with expired, though nobody calls: a silent seat, a seat never claimed, a waiter who was silent", async () => {
    const [a, , c, d] = (await comeIn(room, 4)) as [string, string, string, string];
    const [seat, next, waiter] = (await Promise.all([a, c, d].map((user) => watchPlace(user)))) as [
      Watch,
      Watch,
      Watch,
    ];
    await agePlaces(db, 1801, [a]);
    expect(await seat.done).toMatchObject({ event: "expired", data: { reason: "expired" } });
    await expectSaid(next, ["position 1", "promoted 0"]);
    await agePlaces(db, 61, [c, d]);
    expect(await next.done).toMatchObject({ event: "expired", data: { reason: "unclaimed" } });
    expect(await waiter.done).toMatchObject({ event: "expired", data: { reason: "abandoned" } });
  });

  it("keeps a waiter's place for as long as it is open, and no longer", async () => {
    await resetRoom(db, { maxActive: 2, waiterSeconds: 2 });
    const [, , watching, silent] = (await comeIn(room, 4)) as [string, string, string, string];
    const stream = await watchPlace(watching);
    await sleep(4500);
    const names = () =>
      db.sql`SELECT user_id FROM waiting_room_places WHERE seated_at IS NULL`.then((rows) =>
        rows.map((row) => row.user_id),
      );
    expect(await names()).toEqual([watching]);
    expect(said(stream)).toEqual(["position 1"]);
    stream.stop();
    await expect.poll(names).toEqual([]);
    expect((await room.position(silent)).status).toBe(404);
  });

  it("says promoted also to who was let in between the reading of the place and the watch", async () => {
    const log = createLog("silent");
    const listener = openListener(db.url, log);
    const line = openLine({ database: db.database, listener, log });
    const [a, , c] = (await comeIn(room, 3)) as [string, string, string];
    const { body } = await room.position(c);
    await room.close(a);
    const told: string[] = [];
    const stop = line.watch(body, ({ event }) => told.push(event));
    expect(told).toEqual(["position"]);
    await expect.poll(() => told).toEqual(["position", "promoted"]);
    stop();
    line.close();
    await listener.close();
  });

  it("answers an unknown user with 404 user_not_found, and a HEAD without a stream", async () => {
    const stream = await watchPlace(newUser());
    expect([stream.status, stream.events[0]?.data.code]).toEqual([404, "user_not_found"]);
    const [user] = await comeIn(room, 1);
    expect((await fetch(`${here.url}${ROUTE}/events/${user}`, { method: "HEAD" })).status).toBe(200);
  });

  it("ends without a last event when its process stops, and the place is kept", async () => {
    const third = await startServer({ DATABASE_URL: db.url, CLEANUP_CRON: "" });
    await resetRoom(db, { maxActive: 2 });
    const [, , c] = (await comeIn(room, 3)) as [string, string, string];
    const stream = await watchPlace(c, third);
    expect(await third.stop()).toBe(0);
    expect((await stream.done)?.event).toBe("position");
    expect(said(await watchPlace(c))).toEqual(["position 1"]);
  });
});

describe("80 watching waiters and 60 seats given up", () => {
  it("are told every step forward and the promotion, also when the LISTEN connections are killed", async () => {
    await resetRoom(db, { maxActive: 20 });
    const everybody = await comeIn(room, 100);
    const waiters = everybody.slice(20);
    const streams = await Promise.all(waiters.map((user, n) => watchPlace(user, n % 2 ? here : there)));
    // The look after so many have come at once is a slow one, and the next waits three times as long; not measured here.
    await sleep(1000);
    const sentAt: number[] = [];
    for (const user of everybody.slice(0, 60)) {
      if (sentAt.length === 30) {
        const killed = await db.sql`
          SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND application_name = 'keybeat listen'`;
        expect(killed.length).toBeGreaterThanOrEqual(2);
      }
      sentAt.push(performance.now());
      expect((await room.close(user)).status).toBe(200);
      await sleep(50);
    }
    // The first 40 waiters were let in, and closed in their turn; 20 more were let in; the last 20 moved up.
    for (const [n, stream] of streams.entries()) {
      const last = n < 40 ? "closed closed" : n < 60 ? "promoted 0" : `position ${n - 59}`;
      await expect.poll(() => said(stream).at(-1)).toBe(last);
      const told = stream.events.filter(({ event }) => event !== "closed");
      // The same position again is news only with another estimate, as on a machine that is slower for a while.
      for (const [at, { data }] of told.entries()) expect(data).not.toEqual(told[at - 1]?.data);
      const positions = told.map(({ data }) => data.position);
      expect(positions).toEqual(positions.toSorted((a, b) => b - a));
      expect(positions.at(-1)).toBe(Math.max(0, n - 59));
    }
    report("undisturbed", delays(streams, sentAt, 0, 30));
    report("LISTEN connections killed before the first", delays(streams, sentAt, 30, 60));
  });

  /** From sending the close to the event that tells of it, or of a later one as well; per waiter and close. */
  function delays(streams: Watch[], sentAt: number[], from: number, to: number): number[] {
    return streams.flatMap((stream, n) =>
      sentAt.slice(from, to).flatMap((at, offset) => {
        const due = n + 1 - (from + offset + 1);
        if (due < 0) return []; // was let in before
        const told = stream.events.find(({ data }) => data.position <= due);
        return (told?.at ?? Number.POSITIVE_INFINITY) - at;
      }),
    );
  }

  function report(name: string, unsorted: number[]): void {
    const sorted = unsorted.sort((a, b) => a - b);
    const [p50, p95, max] = [0.5, 0.95, 1].map((share) => sorted[Math.ceil(sorted.length * share) - 1]?.toFixed(0));
    console.log(`${name}: ${sorted.length} steps told, p50 ${p50} ms, p95 ${p95} ms, max ${max} ms`);
    expect(sorted.at(-1)).toBeLessThan(Number.POSITIVE_INFINITY);
  }
});
