/** Permits for requests at once, over the routes. */
import { beforeEach, expect, it } from "vitest";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { callRoom, newUser, resetRoom } from "./support/room.ts";

const db = useDatabase();
const app = useApp(db);
const room = callRoom(app);
let user: string;
beforeEach(async () => {
  await resetRoom(db, { maxActive: 2 });
  user = newUser();
  await room.create(user);
});

async function hold(count: number, of = user): Promise<string[]> {
  const permits = [];
  for (let n = 0; n < count; n++) permits.push((await room.permit(of)).body.permit_id as string);
  return permits;
}
const waiting = () => db.sql`SELECT FROM waiting_room_permits WHERE NOT granted`;

it("with 10 held, the 11th gets 429 at once, and after wait_ms where it waits", async () => {
  const granted = await room.permit(user);
  expect(granted.body).toEqual({ permit_id: expect.any(String), expires_at: expect.stringMatching(/\.\d{3}Z$/) });
  await hold(9);
  const refused = await room.permit(user);
  expect([refused.status, refused.body.code]).toEqual([429, "too_many_requests"]);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  const began = performance.now();
  expect((await room.permit(user, 300)).status).toBe(429);
  expect(performance.now() - began).toBeGreaterThanOrEqual(299);
  expect(await waiting()).toHaveLength(0);
  expect((await room.status()).body).toMatchObject({ active_requests: 10, max_requests: 10 });
});

it("whoever waits gets it in the order of asking, when one is given back; giving back twice is harmless", async () => {
  const [first, second] = await hold(10);
  const order: number[] = [];
  const asked = [];
  for (const n of [1, 2]) {
    const settled = room.permit(user, 10_000).then((reply) => {
      order.push(n);
      return reply;
    });
    asked.push(settled);
    await expect.poll(waiting).toHaveLength(n);
  }
  expect((await room.giveBack(first as string)).status).toBe(200);
  expect((await asked[0])?.status).toBe(200);
  expect((await room.giveBack(first as string)).status).toBe(200);
  expect(await waiting()).toHaveLength(1);
  await room.giveBack(second as string);
  expect((await asked[1])?.status).toBe(200);
  expect(order).toEqual([1, 2]);
});

it("a killed holder's permit returns: after the request timeout, and with its owner's seat", async () => {
  const permits = await hold(10);
  await db.sql`UPDATE waiting_room_permits SET expires_at = clock_timestamp() WHERE permit_id = ${permits[0] as string}`;
  expect((await room.permit(user)).status).toBe(200);
  const other = newUser();
  await room.create(other);
  const asked = room.permit(other, 10_000);
  await expect.poll(waiting).toHaveLength(1);
  await room.close(user);
  expect((await asked).status).toBe(200);
  expect((await room.status()).body.active_requests).toBe(1);
});

it("a caller that hangs up gives up its turn, and an offer to a process that died goes to the next", async () => {
  const [first, second] = await hold(10);
  const abort = new AbortController();
  const left = room.permit(user, 10_000, abort.signal).catch(() => "hung up");
  await expect.poll(waiting).toHaveLength(1);
  abort.abort();
  expect(await left).toBe("hung up");
  await expect.poll(waiting).toHaveLength(0);

  // As a process leaves it that was killed while it waited.
  await db.sql`SELECT request_permit('of-the-dead', ${user}, 30000)`;
  const asked = room.permit(user, 20_000);
  await expect.poll(waiting).toHaveLength(2);
  await room.giveBack(first as string);
  expect(await db.sql`SELECT granted FROM waiting_room_permits WHERE permit_id = 'of-the-dead'`).toEqual([
    { granted: true },
  ]);
  await db.sql`UPDATE waiting_room_permits SET expires_at = expires_at - interval '5 seconds' WHERE permit_id = 'of-the-dead'`;
  await db.sql`UPDATE waiting_room SET next_due = clock_timestamp()`;
  expect((await asked).status).toBe(200);
  await room.giveBack(second as string);
});

it("only an active user gets one: 403 not_active for the unknown and for who waits", async () => {
  await room.create(newUser());
  const waiter = newUser();
  await room.create(waiter);
  for (const who of [newUser(), waiter]) {
    const refused = await room.permit(who, 1000);
    expect([refused.status, refused.body.code]).toEqual([403, "not_active"]);
  }
});

it.each([-1, 30_001, 1.5, "10"])("wait_ms %s is 400 invalid_request", async (wait_ms) => {
  expect((await room.call("POST", "/requests", { user_id: user, wait_ms })).body.code).toBe("invalid_request");
});
