/** /api/v1/game/…: parse, call the verb, reply. */
import { type Context, Hono } from "hono";
import type { Database } from "../../database/database.ts";
import type { ReadCaller } from "../../http/caller.ts";
import { retryAfterSeconds } from "../../http/error-reply.ts";
import { readIdempotencyKey } from "../../http/idempotency-key.ts";
import { readJson } from "../../http/json-body.ts";
import type { HttpEnv } from "../../http/request-id.ts";
import { idOf } from "../../http/session-id.ts";
import { createRequest, GAME_BYTES_MAX, type GameSession } from "./contract.ts";
import { createSession } from "./create.ts";
import { readHealth } from "./health.ts";
import { readSession } from "./read.ts";

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
  routes.get("/sessions/:session_id", async (c) => {
    const by = await readCaller(c);
    return replySession(c, await readSession(database, idOf(c), by));
  });

  return routes;
}

/** With its version as the ETag. It is one player's, so nobody between keeps it. */
export const replySession = (c: Context<HttpEnv>, session: GameSession, status: 200 | 201 = 200) =>
  c.json(session, status, { ETag: `"${session.version}"`, "Cache-Control": "no-store" });

/** How large a request to that path may be. */
export const gameBodyBytesMax = (path: string): number | undefined =>
  path.startsWith("/api/v1/game/") ? GAME_BYTES_MAX : undefined;
