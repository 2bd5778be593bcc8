/** A firewall forgets the connections that are there, all at once; new ones work. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Database, openDatabase, REQUEST_DEADLINE_MS } from "../../src/database/database.ts";
import { useDatabase } from "../support/database.ts";
import { type DatabaseProxy, startProxy } from "../support/proxy.ts";

const CONNECTIONS = { requests: 10, heartbeats: 3, operators: 2 };
const LANES = ["requests", "heartbeats", "operators"] as const;

const db = useDatabase();
let proxy: DatabaseProxy;
let database: Database;

beforeAll(async () => {
  proxy = await startProxy(db.url);
  database = openDatabase(proxy.url);
});
afterAll(async () => {
  await database.close();
  await proxy.close();
});

const outcome = (lane: (typeof LANES)[number]) =>
  database[lane]
    .query((sql) => sql`SELECT 1`)
    .then(
      () => "ok",
      (error) => error.code as string,
    );

/** As many connections as there may be, a lane at a time. */
const openAll = async () => {
  for (const lane of LANES) {
    await Promise.all(
      Array.from({ length: CONNECTIONS[lane] }, () => database[lane].query((sql) => sql`SELECT pg_sleep(0.1)`)),
    );
  }
};

it("costs one answer, not one for each of them, on whatever lane", async () => {
  await openAll();
  // It is by its silence that a connection counts as dark, so the others must have been silent for as long.
  await new Promise((done) => setTimeout(done, 200));
  proxy.darken();
  expect(await outcome("requests")).toBe("unavailable");
  await new Promise((done) => setTimeout(done, 20)); // a connection is closed in a turn of the loop
  const after = [];
  for (const lane of LANES) for (let call = 0; call < 12; call++) after.push(await outcome(lane));
  expect(after.filter((one) => one !== "ok")).toEqual([]);
});

it("is told from a call that is only slow: then nothing happens to the others", async () => {
  await openAll();
  await new Promise((done) => setTimeout(done, 200));
  const connections = proxy.connections();
  const late = database.requests.query((sql) => sql`SELECT pg_sleep(3)`).catch((error) => error.code);
  await new Promise((done) => setTimeout(done, REQUEST_DEADLINE_MS - 700));
  expect(await outcome("heartbeats")).toBe("ok");
  const young = database.requests.query((sql) => sql`SELECT pg_sleep(1.2) IS NOT NULL AS slept`);
  expect(await late).toBe("unavailable");
  expect((await young)[0]?.slept).toBe(true);
  for (const lane of LANES) {
    await Promise.all(
      Array.from({ length: CONNECTIONS[lane] - 1 }, () => database[lane].query((sql) => sql`SELECT 1`)),
    );
  }
  expect(proxy.connections()).toBe(connections);
});
