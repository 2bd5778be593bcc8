/** The waiting room in GET /metrics: what it is now, and what became of its users, each counted once by all workers. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { useDatabase } from "../../support/database.ts";
import { readValue, type Sample, scrape } from "../../support/metrics.ts";
import { type RunningServer, startServer } from "../../support/process.ts";

/** A scrape shows numbers of the database that are at most so old. */
const FRESH_MS = 5_000;

const db = useDatabase();
let server: RunningServer;
let before: Sample[];
let after: Sample[];
let again: Sample[];

const room = "/api/v1/session";
const create = (user_id: string) => server.post(`${room}/create`, { user_id, session_id: "tab" });
const close = (user_id: string) => server.post(`${room}/close/${user_id}`, undefined);

beforeAll(async () => {
  const env = { QUEUE_MAX_ACTIVE: "2", QUEUE_MAX_REQUESTS: "3", QUEUE_MAX_WAITING: "50", CLEANUP_CRON: "" };
  server = await startServer({ ...env, DATABASE_URL: db.url, WORKERS: "2" });
  await create("earlier");
  await close("earlier");
  before = await scrape(server.url);
  for (const user of ["ann", "ben", "cho", "dan", "eve"]) await create(user);
  await server.post(`${room}/requests`, { user_id: "ben" });
  await sleep(1_100); // so that whoever is let in has waited for a second
  await close("ann");
  await close("dan");
  await sleep(FRESH_MS);
  after = await scrape(server.url);
  await sleep(FRESH_MS);
  again = await scrape(server.url);
});
afterAll(() => server.stop());

const gauge = (samples: Sample[], name: string) => readValue(samples, `keybeat_waiting_room_${name}`);
const moves = (samples: Sample[]) =>
  Object.fromEntries(
    samples
      .filter(({ name, value }) => name === "keybeat_waiting_room_moves_total" && value > 0)
      .map(({ labels, value }) => [labels.move, value]),
  );

it("shows the seats, the line and the requests as they are", () => {
  const names = ["active", "seats", "waiting", "waiting_max", "requests", "requests_max", "paused"];
  const read = (samples: Sample[]) => Object.fromEntries(names.map((name) => [name, gauge(samples, name)]));
  const empty = { active: 0, waiting: 0, requests: 0, seats: 2, waiting_max: 50, requests_max: 3, paused: 0 };
  expect(read(before)).toEqual(empty);
  expect(read(after)).toEqual({ ...empty, active: 2, waiting: 1, requests: 1 });
});

it("counts each move once, from the first scrape on, however often it is asked", () => {
  expect(moves(before)).toEqual({});
  const counted = { seated: 2, queued: 3, promoted: 1, closed: 1, left: 1 };
  expect(moves(after)).toEqual(counted);
  expect(moves(again)).toEqual(counted);
});

it("has every move at zero from the beginning, so that the first one is an increase", () => {
  const known = before
    .filter(({ name }) => name === "keybeat_waiting_room_moves_total")
    .map(({ labels }) => labels.move);
  expect(known.sort()).toEqual(
    [
      ...["abandoned", "admitted", "claimed", "closed", "expired", "left"],
      ...["promoted", "queued", "removed", "seated", "unclaimed"],
    ].sort(),
  );
});

it("tells how long those who were let in had waited", () => {
  expect(gauge(before, "wait_seconds_count")).toBe(0);
  expect(gauge(after, "wait_seconds_count")).toBe(1);
  expect(gauge(after, "wait_seconds_sum")).toBeGreaterThanOrEqual(1);
  const within = (le: string) => readValue(after, "keybeat_waiting_room_wait_seconds_bucket", { le });
  expect([within("300"), within("+Inf")]).toEqual([1, 1]);
});
