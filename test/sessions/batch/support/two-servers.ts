/** Two processes of the program on a test file's database. */
import { afterAll, beforeAll, vi } from "vitest";
import { ADMIN_TOKEN } from "../../../support/app.ts";
import type { TestDatabase } from "../../../support/database.ts";
import { type RunningServer, startServer } from "../../../support/process.ts";
import { batchApi } from "./batch.ts";

export type BatchApi = ReturnType<typeof batchApi>;

/** For a test file, as useDatabase; the servers are there inside tests. At its end no deadlock may have happened. */
export function useTwoServers(db: TestDatabase) {
  const servers: RunningServer[] = [];
  beforeAll(async () => {
    const env = { DATABASE_URL: db.url, CLEANUP_CRON: "", LOG_LEVEL: "warn", ADMIN_TOKEN };
    servers.push(...(await Promise.all([startServer(env), startServer(env)])));
  });
  afterAll(async () => {
    for (const server of servers) await server.stop();
    await vi.waitUntil(async () => (await countDeadlocks(db)) === 0, { timeout: 30_000, interval: 200 });
  });
  let turn = 0;
  const through = (nth: number): BatchApi => batchApi({ fetch: persist }, () => (servers[nth] as RunningServer).url);
  const apis = [through(0), through(1)] as const;
  return {
    servers,
    here: apis[0],
    there: apis[1],
    /** The one and the other in turn. */
    next: (): BatchApi => apis[turn++ % 2] as BatchApi,
  };
}

/** Sends it again while the answer is a 503, as every client of ours does: calls in a long line may wait for too long. */
async function persist(request: Request): Promise<Response> {
  for (let tries = 1; ; tries++) {
    const response = await fetch(request.clone());
    if (response.status !== 503 || tries === 10) return response;
    await response.body?.cancel();
  }
}

/** They would have reached the callers as an innocent 503. */
async function countDeadlocks(db: TestDatabase): Promise<number> {
  const [counted] = await db.sql`SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`;
  return counted?.deadlocks;
}

/** So many at a time, each with its number. */
export async function play(run: { count: number; atOnce: number }, one: (nth: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    for (let nth = next++; nth < run.count; nth = next++) await one(nth);
  };
  await Promise.all(Array.from({ length: run.atOnce }, lane));
}

export const shuffle = <T>(all: T[]): T[] =>
  all
    .map((one) => ({ one, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ one }) => one);
