/**
 * Every route of the application, as whoever attacks it must know it: what it reads, what it answers. The application
 * itself is asked which routes it has, so that a new one is attacked or noticed.
 */
import type { z } from "zod";
import { createApp } from "../../../src/app.ts";
import { openDatabase } from "../../../src/database/database.ts";
import { openListener } from "../../../src/database/listener.ts";
import type { ErrorCode } from "../../../src/errors.ts";
import { createEndings } from "../../../src/events/endings.ts";
import { createEventStreams } from "../../../src/events/sse.ts";
import { runCleanup } from "../../../src/jobs/cleanup.ts";
import { createHashKey } from "../../../src/keys/index.ts";
import { createLog } from "../../../src/log.ts";
import * as contract from "../../../src/sessions/device/contract.ts";
import { lookForEndings } from "../../../src/sessions/device/index.ts";

export interface Route {
  method: "GET" | "POST";
  path: string;
  /** Whose token it wants. */
  wants?: "session" | "admin";
  /** What it reads; without one it reads no body. */
  request?: z.ZodType;
  /** The body of its 200; a stream has none. */
  reply?: z.ZodType;
  /** With which codes it may refuse a request that is well-formed and has what it wants. */
  refusals: ErrorCode[];
}

const NOT_LIVE: ErrorCode[] = [
  ...(["session_not_found", "session_replaced"] as const),
  ...(["session_expired", "session_ended", "session_revoked"] as const),
];

export const ROUTES: Route[] = [
  {
    ...{ method: "POST", path: "/api/session/start" },
    ...{ request: contract.startRequest, reply: contract.startReply },
    refusals: ["invalid_key", "key_expired", "key_revoked", "key_in_use", "holder_changed", "session_id_used"],
  },
  {
    ...{ method: "POST", path: "/api/session/heartbeat" },
    ...{ request: contract.heartbeatRequest, reply: contract.heartbeatReply },
    refusals: NOT_LIVE,
  },
  {
    ...{ method: "POST", path: "/api/session/end" },
    ...{ request: contract.endRequest, reply: contract.endReply },
    refusals: [],
  },
  {
    ...{ method: "POST", path: "/api/session/status" },
    ...{ request: contract.statusRequest, reply: contract.statusReply },
    refusals: [],
  },
  { method: "GET", path: "/api/session/watch", wants: "session", refusals: NOT_LIVE },
  { method: "POST", path: "/api/admin/cleanup-sessions", wants: "admin", refusals: [] },
  { method: "GET", path: "/health", refusals: [] },
  { method: "GET", path: "/health/live", refusals: [] },
];

/** What the table above lacks, and what it has in vain. */
export async function judgeTable(databaseUrl: string): Promise<string[]> {
  const there = await listRoutes(databaseUrl);
  const known = ROUTES.map(({ method, path }) => `${method} ${path}`);
  return [
    ...there.filter((route) => !known.includes(route)).map((route) => `${route} is attacked by nothing: add it`),
    ...known.filter((route) => !there.includes(route)).map((route) => `${route} is no route any more`),
  ];
}

/** Of the application as a server has it, which then answers nobody. */
async function listRoutes(databaseUrl: string): Promise<string[]> {
  const log = createLog("silent");
  const database = openDatabase(databaseUrl);
  const streams = createEventStreams();
  const endings = createEndings({
    look: (sessionIds) => lookForEndings(database, sessionIds),
    listen: (on) => openListener(databaseUrl, "keybeat_ending", on, log),
    log,
  });
  const app = createApp({
    ...{ database, endings, streams, log, hashKey: createHashKey(undefined), heartbeatSeconds: 30 },
    ...{ adminToken: "any", version: "any" },
    cleanUp: () => runCleanup(database, log, { historyRetentionDays: 90, budgetMs: 1_000, asked: true }),
  });
  const routes = app.hono.routes
    .filter((route) => route.method !== "ALL")
    .map(({ method, path }) => `${method} ${path}`);
  await Promise.all([streams.close(), endings.close(), database.close()]);
  return [...new Set(routes)];
}
