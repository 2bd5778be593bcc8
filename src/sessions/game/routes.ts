/** /api/v1/game/…: parse, call the verb, reply. */
import { type Context, Hono } from "hono";
import type { Database } from "../../database/database.ts";
import type { ReadCaller } from "../../http/caller.ts";
import { retryAfterSeconds } from "../../http/error-reply.ts";
import { readIdempotencyKey } from "../../http/idempotency-key.ts";
import { readIfMatch } from "../../http/if-match.ts";
import { readJson, readOptionalJson } from "../../http/json-body.ts";
import { readQuery } from "../../http/read-query.ts";
import type { HttpEnv } from "../../http/request-id.ts";
import { idOf } from "../../http/session-id.ts";
import {
  createRequest,
  GAME_BYTES_MAX,
  type GameSession,
  listQuery,
  logsQuery,
  sessionQuery,
  terminateRequest,
  updateRequest,
} from "./contract.ts";
import { createSession } from "./create.ts";
import { readHealth } from "./health.ts";
import { listSessions } from "./list.ts";
import { listLogs, readDetails, readSession } from "./read.ts";
import { terminateSession } from "./terminate.ts";
import { updateSession } from "./update.ts";

export interface GameRoutes {
  database: Database;
  readCaller: ReadCaller;
}

export function gameRoutes({ database, readCaller }: GameRoutes): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();

  routes.get("/health", async (c) => {
    const health = await readHealth(database);
    c.header("Cache-Control", "no-store");
    if (health.status !== "unhealthy") return c.json(health);
    return c.json(health, 503, { "Retry-After": String(retryAfterSeconds()) });
  });

  routes.post("/sessions", async (c) => {
    const by = await readCaller(c);
    const request = await readJson(c, createRequest, { bytesMax: GAME_BYTES_MAX });
    return replySession(c, await createSession(database, request, by, readIdempotencyKey(c)), 201);
  });
  routes.get("/sessions", async (c) => {
    const by = await readCaller(c);
    return replyUnkept(c, await listSessions(database, readQuery(c, listQuery), by));
  });

  routes.get("/sessions/:session_id", async (c) => {
    const by = await readCaller(c);
    const { include_logs, include_stats } = readQuery(c, sessionQuery);
    const asked = { logs: include_logs === "true", stats: include_stats === "true" };
    const read = asked.logs || asked.stats ? readDetails : readSession;
    return replySession(c, await read(database, idOf(c), by, asked));
  });
  routes.get("/sessions/:session_id/logs", async (c) => {
    const by = await readCaller(c);
    return replyUnkept(c, await listLogs(database, idOf(c), by, readQuery(c, logsQuery)));
  });
  routes.put("/sessions/:session_id", async (c) => {
    const by = await readCaller(c);
    const request = await readJson(c, updateRequest, { bytesMax: GAME_BYTES_MAX });
    return replySession(c, await updateSession(database, idOf(c), request, by, readIfMatch(c)));
  });
  routes.delete("/sessions/:session_id", async (c) => {
    const by = await readCaller(c);
    const { reason } = await readOptionalJson(c, terminateRequest, { bytesMax: GAME_BYTES_MAX });
    return replySession(c, await terminateSession(database, idOf(c), { reason, matching: readIfMatch(c) }, by));
  });

  return routes;
}

/** With its version as the ETag. */
export const replySession = (c: Context<HttpEnv>, session: GameSession, status: 200 | 201 = 200) => {
  c.header("ETag", `"${session.version}"`);
  return replyUnkept(c, session, status);
};

/** It is one player's, so nobody between keeps it. */
export const replyUnkept = (c: Context<HttpEnv>, answer: object, status: 200 | 201 = 200) =>
  c.json(answer, status, { "Cache-Control": "no-store" });

/** How large a request to that path may be. */
export const gameBodyBytesMax = (path: string): number | undefined =>
  path.startsWith("/api/v1/game/") ? GAME_BYTES_MAX : undefined;
