/** How fast the service answers: measured in each process, stored every ten seconds, told by timeframe. */
import { randomUUID } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { beforeEach, describe, expect, it } from "vitest";
import type { AnalyticsQuery } from "../../src/analytics/contract.ts";
import { foldNumbers } from "../../src/analytics/fold.ts";
import { createPerformanceClock } from "../../src/analytics/performance.ts";
import { readAnalytics } from "../../src/analytics/read.ts";
import { openDatabase } from "../../src/database/database.ts";
import { countsOfRoute, createCounts } from "../../src/metrics/counts.ts";
import { observe } from "../../src/metrics/histogram.ts";
import { useDatabase } from "../support/database.ts";
import { JWT_SECRET } from "../support/player-token.ts";
import { startServer } from "../support/process.ts";
import { FRAMES, type Frame } from "./support/plain.ts";

const db = useDatabase();
const GAME = "/api/v1/game/";

beforeEach(async () => {
  await db.sql`TRUNCATE game_performance`;
});

async function readPerformance(timeframe: AnalyticsQuery["timeframe"]) {
  const query = { timeframe, session_type: "all", metric: "performance" } as const;
  const numbers = await readAnalytics(db.database, query, { playerId: undefined, isService: true });
  return numbers.performance_metrics;
}

/** A process that has measured; `answer` is one call that took so many seconds. */
function openProcess(database = db.database) {
  const counts = createCounts();
  return {
    store: createPerformanceClock(database, counts, GAME),
    answer: (path: string, seconds: number, times = 1) =>
      observe(countsOfRoute(counts, "GET", path).seconds, seconds, times),
  };
}

const rows = async () => {
  const found = await db.sql`SELECT calls, round(total_ms)::int AS ms FROM game_performance ORDER BY at`;
  return found.map(({ calls, ms }) => [calls, ms]);
};

describe("the speed of game sessions", () => {
  it("is stored every ten seconds: what each process has measured since, of the games' routes alone", async () => {
    const [one, other] = [openProcess(), openProcess()];
    expect(one.store.everyMs).toBe(10_000);
    one.answer(`${GAME}sessions`, 0.004, 3);
    one.answer(`${GAME}sessions/:session_id`, 0.02);
    one.answer("/api/session/status", 5, 100);
    await one.store.run();
    await one.store.run();
    one.answer(`${GAME}sessions`, 0.003);
    await one.store.run();
    other.answer(`${GAME}health`, 0.001);
    await other.store.run();
    expect(await rows()).toEqual([
      [4, 32],
      [1, 3],
      [1, 1],
    ]);
    const [row] = await db.sql`SELECT count(DISTINCT process)::int AS processes FROM game_performance`;
    expect(row?.processes).toBe(2);
    const told = await readPerformance("1h");
    expect(told?.average_response_time_ms).toBeCloseTo(6);
    expect(told?.p95_response_time_ms).toBeGreaterThan(10);
    expect(told?.p95_response_time_ms).toBeLessThanOrEqual(25);
    expect(told?.throughput_per_second).toBeGreaterThan(0);
    expect(told?.throughput_per_second).toBeLessThanOrEqual(0.6);
  });

  it("is stored later where the database was away", async () => {
    const away = openDatabase(db.url);
    const one = openProcess(away);
    one.answer(`${GAME}sessions`, 0.004, 2);
    const letGo = await db.lockTable("game_performance", "ACCESS EXCLUSIVE");
    await expect(one.store.run()).rejects.toThrow();
    await letGo();
    one.answer(`${GAME}sessions`, 0.004);
    await one.store.run();
    expect(await rows()).toEqual([[3, 12]]);
    await away.close();
  });

  it("is stored to the last call when a process stops", async () => {
    const server = await startServer({ DATABASE_URL: db.url, CLEANUP_CRON: "", JWT_SECRET });
    for (let nth = 0; nth < 3; nth++) expect((await fetch(`${server.url}${GAME}health`)).status).toBe(200);
    await server.stop("SIGTERM");
    const [row] = await db.sql`SELECT sum(calls)::int AS calls FROM game_performance`;
    expect(row?.calls).toBe(3);
  });

  it("is stored once where a process stops while it is being stored", async () => {
    const one = openProcess();
    one.answer(`${GAME}sessions`, 0.004, 2);
    const letGo = await db.lockTable("game_performance", "ACCESS EXCLUSIVE");
    const storing = one.store.run();
    await nextTurn(); // it has been measured, and waits
    one.answer(`${GAME}sessions`, 0.004);
    const closing = one.store.close();
    await letGo();
    await Promise.all([storing, closing]);
    // On a slow machine the last call comes too late.
    expect([
      [[2, 8]],
      [
        [2, 8],
        [1, 4],
      ],
    ]).toContainEqual(await rows());
  });

  it("does not keep a process from stopping where the database does not take it", async () => {
    const one = openProcess();
    one.answer(`${GAME}sessions`, 0.004);
    const letGo = await db.lockTable("game_performance", "ACCESS EXCLUSIVE");
    await one.store.close();
    await letGo();
    expect(await rows()).toEqual([]);
  });

  it("is told by timeframe, the same when old rows have become few; what is older than all goes", async () => {
    await db.sql`
      INSERT INTO game_performance (process, at, seconds, calls, total_ms, buckets)
      SELECT ${randomUUID()}, now() - n * interval '10 minutes', 10, 1 + n % 3, 2.5 * (1 + n % 3),
             ARRAY[0, 1, n % 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
      FROM generate_series(0, 6000) n`;
    const [clock] = await db.sql`SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::float8 AS now`;
    const tell = () =>
      Promise.all(
        (Object.keys(FRAMES) as Frame[]).map(async (frame) => {
          const { lasts, step } = FRAMES[frame];
          const begins = Math.floor((clock?.now - lasts) / step) * step;
          const [sum] = await db.sql`
            SELECT p.told->'calls' AS calls, p.told->'total_ms' AS ms, p.told->'buckets' AS buckets, round((p.told->'seconds')::numeric) AS s
            FROM game_performance_since(timestamptz 'epoch' + ${begins}::float8 * interval '1 microsecond',
                                        timestamptz 'epoch' + ${clock?.now}::float8 * interval '1 microsecond') AS p (told)`;
          return sum;
        }),
      );
    const before = await tell();
    expect(new Set(before.map((sum) => JSON.stringify(sum))).size).toBe(5);
    await foldNumbers(db.database, Number.POSITIVE_INFINITY);
    expect(await tell()).toEqual(before);
    const [row] =
      await db.sql`SELECT count(*)::int AS n, min(at) > now() - interval '33 days' AS recent FROM game_performance`;
    expect(row?.n).toBeLessThan(120);
    expect(row?.recent).toBe(true);
    await foldNumbers(db.database, Number.POSITIVE_INFINITY);
    expect((await db.sql`SELECT count(*)::int AS n FROM game_performance`)[0]?.n).toBeLessThanOrEqual(row?.n);
  });
});
