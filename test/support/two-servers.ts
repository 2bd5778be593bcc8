/** Two processes of the program on a test file's database. */
import { afterAll, beforeAll, vi } from "vitest";
import { ADMIN_TOKEN, type TestApp } from "./app.ts";
import type { TestDatabase } from "./database.ts";
import { JWT_SECRET } from "./player-token.ts";
import { type RunningServer, startServer } from "./process.ts";

/** Calls of one kind of session, as their test helpers make them. */
type OpenApi<Api> = (app: Pick<TestApp, "fetch">, at: () => string) => Api;

/**
 * For a test file, as useDatabase; the servers are there inside tests, `here` and `there` call the one and the other. At its
 * end no deadlock may have happened.
 */
export function useTwoServers<Api>(db: TestDatabase, openApi: OpenApi<Api>) {
  const servers: RunningServer[] = [];
  const start = () =>
    startServer({ DATABASE_URL: db.url, CLEANUP_CRON: "", LOG_LEVEL: "warn", ADMIN_TOKEN, JWT_SECRET });
  beforeAll(async () => {
    servers.push(...(await Promise.all([start(), start()])));
  });
  afterAll(async () => {
    for (const server of servers) await server.stop();
    await vi.waitUntil(async () => (await countDeadlocks(db)) === 0, { timeout: 30_000, interval: 200 });
  });
  let turn = 0;
  const through = (nth: number): Api => openApi({ fetch: persist }, () => (servers[nth] as RunningServer).url);
  const apis = [through(0), through(1)] as const;
  return {
    servers,
    here: apis[0],
    there: apis[1],
    /** The one and the other in turn. */
    next: (): Api => apis[turn++ % 2] as Api,
    /** Ends both by that signal, and has two new ones in their places. */
    async restart(signal: NodeJS.Signals): Promise<void> {
      await Promise.all(servers.map((server) => server.stop(signal)));
      servers.splice(0, 2, ...(await Promise.all([start(), start()])));
    },
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
