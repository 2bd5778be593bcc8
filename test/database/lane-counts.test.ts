/** What became of the calls to the database is counted once each, under the lane's name. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Database, openDatabase } from "../../src/database/database.ts";
import { type LaneCounts, openLane } from "../../src/database/lane.ts";
import { createBatchCounts } from "../../src/metrics/counts.ts";
import { createBatches } from "../../src/sessions/device/natural-batching.ts";
import { useDatabase } from "../support/database.ts";

const db = useDatabase();
let database: Database;
beforeAll(() => {
  database = openDatabase(db.url);
});
afterAll(() => database.close());

const countsOf = (lane: string) => database.counts.find((one) => one.lane === lane) as LaneCounts;
const total = ({ calls }: LaneCounts) => Object.values(calls).reduce((sum, count) => sum + count, 0);

it.each([
  ["ok", "SELECT 1"],
  ["failed", "SELECT 1 / 0"],
  ["unavailable", "SELECT pg_terminate_backend(pg_backend_pid())"],
] as const)("a call that ends as %s", async (outcome, statement) => {
  const counts = countsOf("requests");
  const before = { ...counts.calls };
  await database.requests.query((sql) => sql.unsafe(statement)).catch(() => {});
  expect(counts.calls).toEqual({ ...before, [outcome]: before[outcome] + 1 });
});

it("a call that is late is counted as that alone, also when its answer comes in the end", async () => {
  const counts = countsOf("heartbeats");
  const before = { ...counts.calls };
  await expect(database.heartbeats.query((sql) => sql`SELECT pg_sleep(1.6)`)).rejects.toThrow();
  expect(counts.calls).toEqual({ ...before, late: before.late + 1 });
  // The late answer arrives on this connection; then the queued calls go in. (On a busy machine they may be late as well.)
  let calls = 1;
  const letIn = async () => {
    calls += 3;
    const three = Array.from({ length: 3 }, () => database.heartbeats.query((sql) => sql`SELECT pg_sleep(0.3)`));
    return (await Promise.allSettled(three)).map(({ status }) => status);
  };
  await expect.poll(letIn).toEqual(["fulfilled", "fulfilled", "fulfilled"]);
  const sum = (all: typeof before) => Object.values(all).reduce((one, other) => one + other);
  expect(sum(counts.calls)).toBe(sum(before) + calls); // each once
});

it("a call ends at the moment that its caller names, and the database is told so", async () => {
  const until = performance.now() + 700;
  const [row] = await database.requests.query((sql, waits) => sql`SELECT ${waits}::int AS ms`, undefined, until);
  expect(row?.ms).toBeLessThanOrEqual(500);
  const call = database.requests.query((sql) => sql`SELECT pg_sleep(2.4)`, undefined, until);
  await expect(call).rejects.toMatchObject({
    code: "unavailable",
    cause: { message: expect.stringMatching(/ [1-6]?\d?\d ms$/) },
  });
});

it("a connection that breaks within a result leaves no empty places in the next one", async () => {
  const lane = openLane(db.url, { name: "test", connectionsMax: 1, waitingMax: 1, deadlineMs: 5000 });
  for (let times = 0; times < 3; times++) {
    await expect(lane.query((sql) => sql`SELECT pg_terminate_backend(pg_backend_pid())`)).rejects.toThrow();
    const rows = await lane
      .query((sql) => sql`SELECT 'whole' AS row`)
      .catch(() => lane.query((sql) => sql`SELECT 'whole' AS row`));
    expect([...rows]).toEqual([{ row: "whole" }]);
  }
  await lane.close();
});

it("calls past the bounds are counted as turned away, and every call has a duration", async () => {
  const counts = countsOf("heartbeats");
  const before = counts.calls.turned_away;
  const calls = Array.from({ length: 13 }, () => database.heartbeats.query((sql) => sql`SELECT pg_sleep(0.1)`));
  const outcomes = await Promise.allSettled(calls);
  expect(outcomes.filter((outcome) => outcome.status === "rejected")).toHaveLength(2);
  expect(counts.calls.turned_away).toBe(before + 2);
  expect(counts.seconds.counts.reduce((sum, count) => sum + count, 0)).toBe(total(counts));
});

it("heartbeats past the bound of the queue are counted as shed, and the size of each batch is", async () => {
  const batches = createBatchCounts();
  let answer = () => {};
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const ask = createBatches({
    send: async () => {
      await answered;
      return () => "live";
    },
    counts: batches,
  });
  const asked = Array.from({ length: 20_003 }, (_, n) => ask(`id-${n}`));
  const settled = Promise.allSettled(asked);
  setTimeout(answer, 20);
  await settled;
  expect(batches.shed).toBe(3);
  expect(batches.sizes.sum).toBe(20_000);
  expect(batches.sizes.counts.at(-2)).toBe(20); // a thousand each
});
