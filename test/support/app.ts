/** The application in this process, on the test file's database, called without a network. */
import { afterAll, beforeAll, expect } from "vitest";
import { compose } from "../../src/compose.ts";
import { readConfig } from "../../src/config.ts";
import type { TrustProxy } from "../../src/http/client-address.ts";
import { listen } from "../../src/http/server.ts";
import type { UserAuthOptions } from "../../src/http/user-auth.ts";
import { runCleanup } from "../../src/jobs/cleanup.ts";
import type { LimitSettings } from "../../src/limits/limit.ts";
import { createLog } from "../../src/log.ts";
import { createCounts } from "../../src/metrics/counts.ts";
import { createMetrics, writeText } from "../../src/metrics/metrics.ts";
import { createPopulationReader } from "../../src/metrics/population.ts";
import { countPopulation } from "../../src/sessions/device/index.ts";
import { createRoomNumbers } from "../../src/sessions/waiting-room/index.ts";
import { watchPort, watchResponse } from "./answers.ts";
import type { TestDatabase } from "./database.ts";
import { findSecrets } from "./secrets.ts";

// biome-ignore lint/suspicious/noExplicitAny: a reply's body is whatever the server says; the tests look at it
export type Reply = { status: number; body: any; headers: Headers };

export const ADMIN_TOKEN = "an-admin-token-for-tests";

const NO_LIMITS: LimitSettings = { unknownKeys: 0, signIns: 0, starts: 0, places: 0 };

export interface TestApp {
  fetch(request: Request): Response | Promise<Response>;
  /** The same application behind a port, as it is served. */
  url: string;
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Reply>;
  get(path: string, headers?: Record<string, string>): Promise<Reply>;
  log: string[];
  /** What is mounted. */
  routes(): Array<{ method: string; path: string }>;
}

export function useApp(
  db: TestDatabase,
  options: {
    adminToken?: string | undefined;
    corsOrigins?: readonly string[];
    trustProxy?: TrustProxy;
    allowedHosts?: readonly string[];
    limits?: Partial<LimitSettings>;
    userAuth?: UserAuthOptions;
  } = {
    adminToken: ADMIN_TOKEN,
  },
): TestApp {
  const app = {} as TestApp;
  let close = async () => {};
  beforeAll(async () => {
    const lines: string[] = [];
    const log = createLog("trace", { write: (line: string) => lines.push(line) });
    const counts = createCounts();
    const countRoom = createRoomNumbers(db.database);
    let watchers = () => 0;
    const collect = createMetrics({
      counts,
      lanes: db.database.counts,
      watchers: () => watchers(),
      version: "0.0.0-test",
      population: createPopulationReader(async () => ({
        ...(await countPopulation(db.database)),
        room: await countRoom(),
      })),
    });
    const limits = { ...NO_LIMITS, ...options.limits };
    const settings = { ...readConfig({}), allowedHosts: undefined, ...options, limits };
    const composition = compose(settings, {
      database: db.database,
      url: db.url,
      hashKey: db.hashKey,
      adminToken: options.adminToken,
      counts,
      cleanUp: () => runCleanup(db.database, log, { historyRetentionDays: 90, budgetMs: 10_000, asked: true }),
      scrape: async () => writeText([await collect()]),
      log,
    });
    watchers = composition.streams.size;
    close = async () => {
      await Promise.all([server.drain(1000), composition.close()]);
    };
    const application = composition.app;
    const { hono } = application;
    const server = await listen(application, { host: "127.0.0.1", port: 0 }, log);
    watchPort(server.url);
    const fetch = async (request: Request) => watchResponse(request, await hono.fetch(request));
    const send = async (path: string, init: RequestInit): Promise<Reply> =>
      readReply(await fetch(new Request(`http://localhost${path}`, init)));
    Object.assign(app, {
      fetch,
      url: server.url,
      log: lines,
      routes: () => hono.routes,
      post: (path: string, body: unknown, headers = {}) => send(path, postInit(body, headers)),
      get: (path: string, headers = {}) => send(path, { headers }),
    });
  });
  afterAll(() => close());
  afterAll(() => expect(findSecrets(app.log.join("\n"))).toEqual([]));
  return app;
}

export function postInit(body: unknown, headers: Record<string, string> = {}): RequestInit {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return { method: "POST", body: text, headers: { "Content-Type": "application/json", ...headers } };
}

export async function readReply(response: Response): Promise<Reply> {
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === "" ? undefined : JSON.parse(text) };
}
