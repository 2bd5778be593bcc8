/** The client's place: taken, watched, given back, against the real service. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { PlaceWatch } from "../../../src/client/waiting-room/index.ts";
import { agePlaces, newUser, resetRoom } from "../../sessions/waiting-room/support/room.ts";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { signUserToken } from "../../support/user-token.ts";
import { clientOf, code, listen, placesOf } from "./support/client.ts";

const SECRET = "a-secret-of-the-waiting-room-for-tests";
const db = useDatabase();
const app = useApp(db);
const guarded = useApp(db, { env: { QUEUE_AUTH: "jwt", JWT_SECRET: SECRET } });
const watches: PlaceWatch[] = [];
let a: string;
let b: string;
let c: string;

beforeEach(async () => {
  await resetRoom(db, { maxActive: 1 });
  [a, b, c] = [newUser("a"), newUser("b/ü?#"), newUser("c")];
  for (const user of [a, b, c]) await clientOf(app).createSession(user);
});
afterEach(() => {
  for (const watch of watches.splice(0)) watch.stop();
});

function watch(
  user: string,
  { of = app, ...options }: { of?: typeof app; stream?: boolean; fetch?: typeof fetch } = {},
) {
  const { told, on } = listen();
  const place = clientOf(of, { fetch: options.fetch as never }).watchPosition(user, on, options);
  watches.push(place);
  return { told, place };
}
const expectTold = (told: string[], expected: string[], timeout = 8_000) =>
  expect.poll(() => told, { timeout }).toEqual(expected);
/** The network blocks only the event stream. */
const withoutStream = (url: string, init: RequestInit) =>
  url.includes("/events/") ? Promise.reject(new TypeError("the stream is blocked")) : fetch(url, init);

describe("a user's place", () => {
  it("is a seat or a place in line, the same when asked for again, and given back twice without harm", async () => {
    const client = clientOf(app);
    const seat = await client.createSession(a, { sessionId: "another tab" });
    expect(seat).toMatchObject({ status: "active", session_id: expect.not.stringMatching("another tab") });
    expect(await client.createSession(c)).toMatchObject({ status: "queued", position: 2 });
    expect(await client.checkPosition(b)).toMatchObject({ user_id: b, position: 1, status: "queued" });
    for (const _ of [1, 2]) await client.closeSession(a);
    expect(await client.checkPosition(b)).toMatchObject({ position: 0, status: "active" });
    await expect(client.checkPosition(a)).rejects.toEqual(code("user_not_found"));
  });

  it("goes by priority", async () => {
    const vip = newUser("vip");
    expect(await clientOf(app).createSession(vip, { priority: 9 })).toMatchObject({ position: 1 });
  });

  it("is refused with the service's code where the line is full", async () => {
    await resetRoom(db, { maxActive: 0, maxWaiting: 0 });
    const refused = clientOf(app).createSession(newUser());
    await expect(refused).rejects.toEqual(code("queue_full"));
    await expect(refused).rejects.toMatchObject({ data: { retry_after_seconds: expect.any(Number) } });
  });

  it("is unreachable, not gone, where something else answers", async () => {
    const page = async () => new Response("<html>Please sign in", { status: 404 });
    await expect(clientOf(app, { fetch: page }).checkPosition(a)).rejects.toEqual(code("unreachable"));
    await expect(clientOf({ url: "http://127.0.0.1:1" } as typeof app).checkPosition(a)).rejects.toEqual(
      code("unreachable"),
    );
    const hangs = clientOf(app, { requestTimeoutMs: 50, fetch: () => new Promise(() => {}) });
    await expect(hangs.checkPosition(a)).rejects.toEqual(code("unreachable"));
  });
});

describe("a page that goes and may come back", () => {
  const age = async (seconds: number) => agePlaces(db, seconds, [b]);
  const left = async () => !(await placesOf(db)).includes(b);
  const settle = () =>
    clientOf(app)
      .checkPosition(c)
      .catch(() => {});

  it("loses its place in line after the grace, not before", async () => {
    await clientOf(app).closeSession(b, { graceSeconds: 20 });
    await age(18);
    await settle();
    expect(await left()).toBe(false);
    await age(3);
    await settle();
    expect(await left()).toBe(true);
    expect(await clientOf(app).checkPosition(c)).toMatchObject({ position: 1 });
  });

  it("keeps its place by asking again, and its number", async () => {
    await clientOf(app).closeSession(b, { graceSeconds: 20 });
    await age(18);
    expect(await clientOf(app).createSession(b)).toMatchObject({ status: "queued", position: 1 });
    await age(30);
    await settle();
    expect(await left()).toBe(false);
  });

  it("gives its seat to the next after the grace, and keeps it by asking", async () => {
    await clientOf(app).closeSession(a, { graceSeconds: 20 });
    await clientOf(app).checkPosition(a);
    await agePlaces(db, 1_000, [a]);
    expect(await clientOf(app).checkPosition(a)).toMatchObject({ status: "active" });
    await clientOf(app).closeSession(a, { graceSeconds: 20 });
    await agePlaces(db, 21, [a]);
    expect(await clientOf(app).checkPosition(b)).toMatchObject({ status: "active" });
  });

  it("gets no more time by it: a place that falls due sooner stays due sooner", async () => {
    await age(58);
    await clientOf(app).closeSession(b, { graceSeconds: 20 });
    await age(3);
    await settle();
    expect(await left()).toBe(true);
  });

  it("is told what is wrong with the grace, and that there was no place", async () => {
    const close = (query: string) => fetch(`${app.url}/api/v1/session/close/nobody${query}`, { method: "POST" });
    for (const bad of ["-1", "61", "1.5", "x"])
      expect([bad, (await close(`?grace_seconds=${bad}`)).status]).toEqual([bad, 400]);
    for (const fine of ["?grace_seconds=60", "?grace_seconds=0", ""]) {
      expect(await (await close(fine)).json()).toEqual({ message: "There was no session to close", user_id: "nobody" });
    }
  });
});

describe("watchPosition", () => {
  it("tells where the user stands, every step and the promotion, which it claims", async () => {
    const { told } = watch(c);
    await expectTold(told, ["position 2"]);
    await clientOf(app).closeSession(b);
    await expectTold(told, ["position 2", "position 1"]);
    await clientOf(app).closeSession(a);
    await expectTold(told, ["position 2", "position 1", "promoted"]);
    const [row] = await db.sql`SELECT claimed FROM waiting_room_places WHERE user_id = ${c}`;
    expect(row).toEqual({ claimed: true });
  });

  it("goes on by asking every 5 s where the stream is blocked, and claims too", async () => {
    const { told } = watch(c, { fetch: withoutStream as typeof fetch });
    await clientOf(app).closeSession(b);
    await expectTold(told, ["position 1"]);
    await clientOf(app).closeSession(a);
    await expectTold(told, ["position 1", "promoted"]);
    const [row] = await db.sql`SELECT claimed FROM waiting_room_places WHERE user_id = ${c}`;
    expect(row).toEqual({ claimed: true });
  }, 20_000);

  it("asks at once without a stream, and takes one when told to", async () => {
    const { told, place } = watch(c, { stream: false });
    await expectTold(told, ["position 2"], 1_000);
    place.stream(true);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await clientOf(app).closeSession(b);
    await expectTold(told, ["position 2", "position 1"], 3_000);
  });

  it("tells how the place was lost, and is over: closed, expired, or found gone", async () => {
    const [seat, left] = [watch(a), watch(b)];
    await expectTold(seat.told, ["position 0"]);
    await expectTold(left.told, ["position 1"]);
    await clientOf(app).closeSession(b);
    await expectTold(left.told, ["position 1", "closed left"]);
    await agePlaces(db, 1_801, [a]);
    await expectTold(seat.told, ["position 0", "expired expired"]);
    const asking = watch(newUser(), { fetch: withoutStream as typeof fetch });
    await expectTold(asking.told, ["expired null"]);
    const { told } = watch(newUser());
    await expectTold(told, ["expired null"], 2_000);
  });

  it("tells how the place was lost also where an answer is faster than the stream", async () => {
    for (const user of [b, c]) {
      const { told, place } = watch(user);
      await expectTold(told, ["position 1"]);
      await clientOf(app).closeSession(user);
      place.check();
      await expectTold(told, ["position 1", "closed left"]);
    }
  });

  it("tells trouble once and goes on; what it missed is told when it is over", async () => {
    let away = false;
    const { told, place } = watch(c, {
      fetch: ((url: string, init: RequestInit) =>
        away ? Promise.reject(new TypeError("no network")) : fetch(url, init)) as typeof fetch,
    });
    await expectTold(told, ["position 2"]);
    away = true;
    for (const _ of [1, 2, 3]) {
      place.check();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await expectTold(told, ["position 2", "error unreachable"]);
    await clientOf(app).closeSession(b);
    away = false;
    place.check();
    await expectTold(told, ["position 2", "error unreachable", "position 1"]);
  });

  it("sends nothing while it is put aside, and asks at once when it is back", async () => {
    let asked = 0;
    const { told, place } = watch(c, {
      fetch: ((url: string, init: RequestInit) => {
        asked++;
        return fetch(url, init);
      }) as typeof fetch,
    });
    await expectTold(told, ["position 2"]);
    place.pause();
    const before = asked;
    await clientOf(app).closeSession(b);
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    place.check();
    expect([asked, told]).toEqual([before, ["position 2"]]);
    place.resume();
    await expectTold(told, ["position 2", "position 1"], 2_000);
  }, 15_000);

  it("says nothing more once it is stopped", async () => {
    const { told, place } = watch(c);
    await expectTold(told, ["position 2"]);
    place.stop();
    await clientOf(app).closeSession(b);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(told).toEqual(["position 2"]);
  });
});

describe("with QUEUE_AUTH=jwt", () => {
  const sign = (user: string) => signUserToken(user, SECRET);

  it("sends the user's token with every call, the stream's and the closing page's too", async () => {
    await clientOf(app).closeSession(c);
    const client = clientOf(guarded, { token: () => sign(c) });
    const { told, on } = listen();
    expect(await client.createSession(c)).toMatchObject({ position: 2 });
    watches.push(client.watchPosition(c, on));
    await expectTold(told, ["position 2"]);
    await client.closeSession(c, { graceSeconds: 20 });
    expect(await client.checkPosition(c)).toMatchObject({ position: 2 });
    await client.closeSession(c);
    await expectTold(told, ["position 2", "closed left"]);
  });

  it("is refused without a token, and with another user's", async () => {
    await expect(clientOf(guarded).checkPosition(a)).rejects.toEqual(code("unauthorized"));
    await expect(clientOf(guarded, { token: await sign(b) }).checkPosition(a)).rejects.toEqual(code("forbidden"));
  });
});
