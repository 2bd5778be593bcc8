/** Mounts the routes. It never listens: main.ts does, and a test calls `fetch` on it as well. */
import { Hono } from "hono";
import { adminRoutes } from "./admin/routes.ts";
import type { Database } from "./database/database.ts";
import { adminAuth } from "./http/admin-auth.ts";
import { errorReply } from "./http/error-reply.ts";
import { healthRoutes } from "./http/health.ts";
import { notFound } from "./http/not-found.ts";
import { type HttpEnv, requestId } from "./http/request-id.ts";
import type { CleanupReport } from "./jobs/cleanup.ts";
import type { HashKey } from "./keys/index.ts";
import type { Logger } from "./log.ts";
import { createHeartbeats } from "./sessions/device/index.ts";
import { deviceSessionRoutes, type Watching } from "./sessions/device/routes.ts";

export interface AppDeps extends Watching {
  database: Database;
  hashKey: HashKey;
  heartbeatSeconds: number;
  /** Undefined: there is nothing under /api/admin. */
  adminToken: string | undefined;
  cleanUp(): Promise<CleanupReport>;
  version: string;
  log: Logger;
}

export function createApp(deps: AppDeps): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  app.use(requestId);
  app.onError(errorReply(deps.log));
  app.notFound(notFound(app));

  app.route("/", healthRoutes(deps.database, deps.version));
  app.route("/api/session", deviceSessionRoutes({ ...deps, heartbeats: createHeartbeats(deps.database) }));
  if (deps.adminToken !== undefined) {
    app.use("/api/admin/*", adminAuth(deps.adminToken));
    app.route("/api/admin", adminRoutes(deps));
  }
  return app;
}
