/** The application in this process, on the test file's database, called without a network. */
import { afterAll, beforeAll, expect } from "vitest";
import { compose } from "../../src/compose.ts";
import { readConfig } from "../../src/config.ts";
import type { TrustProxy } from "../../src/http/client-address.ts";
import { listen } from "../../src/http/server.ts";
import { runCleanup } from "../../src/jobs/cleanup.ts";
import { createLog } from "../../src/log.ts";
import { createCounts } from "../../src/metrics/counts.ts";
import { createMetrics, writeText } from "../../src/metrics/metrics.ts";
import { createPopulationReader } from "../../src/metrics/population.ts";
import { describeApi } from "../../src/openapi.ts";
import type { Kind } from "../../src/sessions/kind.ts";
import { KINDS, openKinds } from "../../src/sessions/kinds.ts";
import { watchPort, watchResponse } from "./answers.ts";
import type { TestDatabase } from "./database.ts";
import { holdAgainst } from "./document-check.ts";
import { JWT_SECRET } from "./player-token.ts";
import { findSecrets } from "./secrets.ts";

// biome-ignore lint/suspicious/noExplicitAny: a reply's body is whatever the server says; the tests look at it
export type Reply = { status: number; body: any; headers: Headers };

export const ADMIN_TOKEN = "an-admin-token-for-tests";

const NO_LIMITS = { LIMIT_UNKNOWN_KEYS: "0", LIMIT_SIGN_INS: "0", LIMIT_STARTS: "0", LIMIT_PLACES: "0" };

export interface TestApp {
  fetch(request: Request): Response | Promise<Response>;
  /** The same application behind a port, as it is served. */
  url: string;
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Reply>;
  get(path: string, headers?: Record<string, string>): Promise<Reply>;
  log: string[];
  /** Whether a request to that path may wait for something to happen. */
  waits(path: string): boolean;
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
    /** Settings as the environment has them. */
    env?: Record<string, string>;
    kinds?: readonly Kind[];
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
    const { env, kinds = KINDS, ...set } = options;
    if (options.kinds) holdAgainst(JSON.parse(JSON.stringify(describeApi("3.1", "0", kinds))));
    const config = readConfig({ ...NO_LIMITS, JWT_SECRET, ...env }, kinds);
    const opened = openKinds(kinds, config.kinds, { database: db.database, counts, log });
    let watchers = () => 0;
    const collect = createMetrics({
      counts,
      kinds: opened,
      lanes: db.database.counts,
      watchers: () => watchers(),
      version: "0.0.0-test",
      population: createPopulationReader(db.database, opened),
    });
    const settings = { ...config, allowedHosts: undefined, ...set };
    const composition = compose(settings, {
      kinds: opened,
      database: db.database,
      url: db.url,
      hashKey: db.hashKey,
      adminToken: options.adminToken,
      counts,
      cleanUp: () => runCleanup(opened, db.database, log, { historyRetentionDays: 90, budgetMs: 10_000, asked: true }),
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
      waits: application.waits,
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
