/** Mounts the routes. It never listens: main.ts does, and a test calls `fetch` on it as well. */
import { Hono } from "hono";
import { adminRoutes } from "./admin/routes.ts";
import type { Database } from "./database/database.ts";
import { adminAuth } from "./http/admin-auth.ts";
import { errorReply } from "./http/error-reply.ts";
import { healthRoutes } from "./http/health.ts";
import { notFound } from "./http/not-found.ts";
import { type PostRoute, servePost } from "./http/post-route.ts";
import { type HttpEnv, requestId } from "./http/request-id.ts";
import type { UserAuth } from "./http/user-auth.ts";
import type { CleanupReport } from "./jobs/cleanup.ts";
import type { HashKey } from "./keys/index.ts";
import type { Logger } from "./log.ts";
import { createHeartbeats } from "./sessions/device/index.ts";
import { heartbeatRoute, otherRoutes, type Watching, watchRoutes } from "./sessions/device/routes.ts";
import type { RoomEvents } from "./sessions/waiting-room/index.ts";
import { waitingRoomRoutes } from "./sessions/waiting-room/routes.ts";

export interface AppDeps extends Watching {
  database: Database;
  hashKey: HashKey;
  heartbeatSeconds: number;
  roomEvents: RoomEvents;
  userAuth: UserAuth;
  /** Undefined: there is nothing under /api/admin. */
  adminToken: string | undefined;
  cleanUp(): Promise<CleanupReport>;
  version: string;
  log: Logger;
}

export interface App {
  hono: Hono<HttpEnv>;
  /** Served by Hono as well; for whoever can answer it with less ado. */
  heartbeat: PostRoute;
}

export function createApp(deps: AppDeps): App {
  const app = new Hono<HttpEnv>();
  app.use(requestId);
  app.onError(errorReply(deps.log));
  app.notFound(notFound(app));

  app.route("/", healthRoutes(deps.database, deps.version));
  const devices = { ...deps, heartbeats: createHeartbeats(deps.database) };
  const heartbeat = heartbeatRoute(devices);
  for (const route of [heartbeat, ...otherRoutes(devices)]) app.post(route.path, servePost(route));
  app.route("/api/session", watchRoutes(devices));
  app.route("/api/v1/session", waitingRoomRoutes(deps));
  if (deps.adminToken !== undefined) {
    app.use("/api/admin/*", adminAuth(deps.adminToken));
    app.route("/api/admin", adminRoutes(deps));
  }
  return { hono: app, heartbeat };
}
