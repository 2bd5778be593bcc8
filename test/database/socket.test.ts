/** A connection that fails before anybody could listen to it: no error of it may go unheard, or the process ends. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openLane } from "../../src/database/lane.ts";
import { openListener } from "../../src/database/listener.ts";
import { createSocketFactory } from "../../src/database/socket.ts";
import { AppError } from "../../src/errors.ts";
import { createLog } from "../../src/log.ts";

/** An address without a route: connect(2) itself fails with ENETUNREACH. */
const UNREACHABLE = "224.0.0.1";

const unheard: unknown[] = [];
const hear = (error: unknown) => unheard.push(error);
beforeEach(() => process.on("uncaughtException", hear));
afterEach(async () => {
  await sleep(50);
  process.off("uncaughtException", hear);
  expect(unheard.splice(0)).toEqual([]);
});

it.each([
  ["without TLS", ""],
  ["with TLS", "?sslmode=require"],
])("a call over a connection that fails at once is told so at once, again and again, %s", async (_, query) => {
  const lane = openLane(`postgres://u:p@${UNREACHABLE}/d${query}`, {
    name: "test",
    connectionsMax: 3,
    waitingMax: 10,
    deadlineMs: 1500,
  });
  const ask = () => lane.query((sql) => sql`SELECT 1`).catch((error: unknown) => error);
  expect(await ask()).toMatchObject({ code: "unavailable", cause: { code: "ENETUNREACH" } });
  // Later ones may be late first: connections are made at a pace then.
  for (const error of await Promise.all([0, 1, 2, 3, 4].map(ask))) expect(error).toBeInstanceOf(AppError);
  expect(await ask()).toMatchObject({ code: "unavailable" });
  await lane.close();
});

it("a name that cannot be looked up is the database's absence, not a fault of ours", async () => {
  const lane = openLane("postgres://u:p@no-such-host.invalid/d", {
    name: "test",
    connectionsMax: 1,
    waitingMax: 10,
    deadlineMs: 2500,
  });
  await expect(lane.query((sql) => sql`SELECT 1`)).rejects.toMatchObject({ code: "unavailable" });
  await lane.close();
});

it("the LISTEN connection goes on trying", async () => {
  const log = createLog("silent", { write: () => {} });
  const listener = openListener(`postgres://u:p@${UNREACHABLE}/d`, log);
  await sleep(700);
  expect(listener.proven()).toBe(false);
  await listener.close();
});

it("counts as a failure: the next connection waits for its turn", async () => {
  const { open } = createSocketFactory(1000, [{ host: UNREACHABLE, address: undefined, port: 5432 }]);
  for (let n = 0; n < 6; n++) await open();
  await sleep(250);
  const began = performance.now();
  await open();
  expect(performance.now() - began).toBeGreaterThan(100);
});
