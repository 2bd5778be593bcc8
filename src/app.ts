/** Mounts the routes. It never listens: main.ts does, and a test calls `fetch` on it as well. */
import { Hono } from "hono";
import { adminPageRoutes } from "./admin/page/routes.ts";
import { adminRoutes } from "./admin/routes.ts";
import { createLimitReport } from "./audit/over-limit.ts";
import type { Database } from "./database/database.ts";
import { allowHosts } from "./http/allowed-hosts.ts";
import { asWritten } from "./http/as-written.ts";
import { createAddressReader, type TrustProxy } from "./http/client-address.ts";
import { countRequests } from "./http/count-requests.ts";
import { crossOrigin, ownPages, safeHeaders } from "./http/cross-origin.ts";
import type { DirectPost } from "./http/direct.ts";
import { errorReply } from "./http/error-reply.ts";
import { healthRoutes } from "./http/health.ts";
import { notFound } from "./http/not-found.ts";
import { openApiRoutes } from "./http/openapi/routes.ts";
import { type HttpEnv, requestId } from "./http/request-id.ts";
import { traceRequests } from "./http/trace-requests.ts";
import type { UserAuth } from "./http/user-auth.ts";
import type { CleanupReport } from "./jobs/cleanup.ts";
import type { HashKey } from "./keys/index.ts";
import { createLimit, type LimitSettings } from "./limits/limit.ts";
import type { Logger } from "./log.ts";
import type { Counts } from "./metrics/counts.ts";
import { metricsRoutes } from "./metrics/routes.ts";
import { createHeartbeats, createPingPongReport } from "./sessions/device/index.ts";
import { deviceRoutes, heartbeatRoute, type Watching } from "./sessions/device/routes.ts";
import { waitingRoomDemoRoutes } from "./sessions/waiting-room/demo/routes.ts";
import type { RoomEvents } from "./sessions/waiting-room/index.ts";
import { holdsCaller, waitingRoomRoutes } from "./sessions/waiting-room/routes.ts";
import type { Tracing } from "./tracing/tracing.ts";

export interface AppDeps extends Watching {
  database: Database;
  hashKey: HashKey;
  heartbeatSeconds: number;
  roomEvents: RoomEvents;
  userAuth: UserAuth;
  /** Undefined: there is nothing under /api/admin. */
  adminToken: string | undefined;
  /** The web pages that may call; `*` stands for all. */
  corsOrigins: readonly string[];
  trustProxy: TrustProxy;
  /** The host names that are answered to, beside this machine's own; undefined: all. */
  allowedHosts?: readonly string[] | undefined;
  limits: LimitSettings;
  cleanUp(): Promise<CleanupReport>;
  /** Is told the code of each start that is refused. */
  countRefusal(code: string): void;
  version: string;
  /** Whether it is about to stop, and balancers shall send nobody more. */
  isDraining?(): boolean;
  counts: Counts;
  /** The metrics of the whole service, as Prometheus reads them. */
  scrape(): Promise<string>;
  tracing?: Tracing | undefined;
  log: Logger;
}

export interface App {
  hono: Hono<HttpEnv>;
  /** Served by Hono as well; for whoever can answer it with less ado. Undefined: nobody may, as every request is traced. */
  heartbeat: DirectPost | undefined;
  counts: Counts;
  /** Whether a request to that path may wait for something to happen; a caller who stops sending has left it. */
  waits(path: string): boolean;
}

export function createApp(deps: AppDeps): App {
  const app = new Hono<HttpEnv>();
  app.use(safeHeaders()); // outermost: a 404 is thrown through the innermost, whose second half it skips
  app.use(countRequests(deps.counts));
  if (deps.tracing) app.use(traceRequests(deps.tracing));
  app.use(requestId);
  app.use(asWritten);
  if (deps.allowedHosts !== undefined) app.use(allowHosts(deps.allowedHosts));
  if (deps.corsOrigins.length > 0) app.use("/api/*", crossOrigin(deps.corsOrigins));
  app.use("/api/v1/*", ownPages(deps.corsOrigins));
  app.onError(errorReply(deps.log));
  app.notFound(notFound(app));

  app.route("/", healthRoutes(deps));
  app.route("/", metricsRoutes(deps.scrape));
  app.route("/", openApiRoutes());
  const readAddress = createAddressReader(deps.trustProxy);
  const report = createLimitReport(deps.database, deps.log);
  const limit = (name: string, perMinute: number, message: string) =>
    createLimit(deps.database, { name, perMinute, message, report });
  const devices = {
    ...deps,
    heartbeats: createHeartbeats(deps.database, deps.counts.batches),
    unknownKeys: limit(
      "unknown-key",
      deps.limits.unknownKeys,
      "Too many unknown access keys from this address, please try again in a minute",
    ),
    startsMax: deps.limits.starts,
    reportPingPong: createPingPongReport(deps.log, deps.counts),
  };
  const heartbeat = heartbeatRoute(devices);
  app.route("/api/session", deviceRoutes({ ...devices, readAddress }));
  const places = limit(
    "place",
    deps.limits.places,
    "Too many places are asked for from this address, please try again in a minute",
  );
  app.route("/api/v1/session", waitingRoomRoutes({ ...deps, readAddress, places }));
  app.route("/", waitingRoomDemoRoutes());
  if (deps.adminToken !== undefined) {
    const failures = limit(
      "sign-in",
      deps.limits.signIns,
      "Too many wrong admin tokens from this address, please try again in a minute",
    );
    app.route("/api/admin", adminRoutes({ ...deps, readAddress, failures }, deps.adminToken));
    app.route("/", adminPageRoutes());
  }
  return { hono: app, heartbeat: deps.tracing ? undefined : heartbeat, counts: deps.counts, waits: holdsCaller };
}
