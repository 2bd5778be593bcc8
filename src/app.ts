/** Mounts the routes. It never listens: main.ts does that, and tests may just call `fetch`. */
import { Hono } from "hono";
import { adminPageRoutes } from "./admin/page/routes.ts";
import { adminRoutes } from "./admin/routes.ts";
import type { Database } from "./database/database.ts";
import { allowHosts } from "./http/allowed-hosts.ts";
import { asWritten } from "./http/as-written.ts";
import { countRequests } from "./http/count-requests.ts";
import { crossOrigin, ownPages, safeHeaders } from "./http/cross-origin.ts";
import type { DirectPost } from "./http/direct.ts";
import { errorReply } from "./http/error-reply.ts";
import { healthRoutes } from "./http/health.ts";
import { BODY_BYTES_MAX } from "./http/json-body.ts";
import { notFound } from "./http/not-found.ts";
import { openApiRoutes } from "./http/openapi/routes.ts";
import { type HttpEnv, requestId } from "./http/request-id.ts";
import { signAnswers } from "./http/sign-answers.ts";
import { traceRequests } from "./http/trace-requests.ts";
import type { CleanupReport } from "./jobs/cleanup.ts";
import type { Logger } from "./log.ts";
import type { Counts } from "./metrics/counts.ts";
import { metricsRoutes } from "./metrics/routes.ts";
import type { Mounted, OpenKind, Serving } from "./sessions/kind.ts";
import type { Tracing } from "./tracing/tracing.ts";
import type { Signing } from "./trust/signing.ts";

export interface AppDeps {
  kinds: readonly OpenKind[];
  /** Shared by the kinds of session. */
  serving: Serving;
  database: Database;
  /** Undefined: /api/admin does not exist. */
  adminToken: string | undefined;
  signInsPerMinute: number;
  /** Origins of web pages that may call; `*` means any. */
  corsOrigins: readonly string[];
  /** Host names to answer to besides this machine's own; undefined: all. */
  allowedHosts?: readonly string[] | undefined;
  /** Of answers under /api/session. */
  signing: Signing;
  cleanUp(): Promise<CleanupReport>;
  version: string;
  /** Whether the process is about to stop, so balancers should send no more traffic. */
  isDraining?(): boolean;
  counts: Counts;
  /** The metrics of the whole service, in Prometheus' format. */
  scrape(): Promise<string>;
  tracing?: Tracing | undefined;
  log: Logger;
}

export interface App {
  hono: Hono<HttpEnv>;
  /** Also served by Hono; exposed for a cheaper path. Undefined while every request is traced. */
  heartbeat: DirectPost | undefined;
  signing: Signing;
  counts: Counts;
  /** Whether a request to that path may be held until something happens; a caller that closes its side gives it up. */
  waits(path: string): boolean;
  /** How large the body of a request to that path may be; a larger one ends its connection. */
  bodyBytesMax(path: string): number;
}

/** `kinds` as mounted; the caller runs their clocks and closes them. */
export function createApp(deps: AppDeps): { app: App; kinds: Mounted[] } {
  const { serving } = deps;
  const hono = new Hono<HttpEnv>();
  hono.use(safeHeaders()); // outermost, because a thrown 404 skips the second half of the innermost
  hono.use(countRequests(deps.counts));
  if (deps.tracing) hono.use(traceRequests(deps.tracing));
  hono.use(requestId);
  if (deps.corsOrigins.length > 0) hono.use("/api/*", crossOrigin(deps.corsOrigins));
  hono.use(signAnswers(deps.signing)); // before whatever else may refuse
  hono.use(asWritten);
  if (deps.allowedHosts !== undefined) hono.use(allowHosts(deps.allowedHosts));
  hono.use("/api/v1/*", ownPages(deps.corsOrigins));
  hono.onError(
    errorReply(
      deps.log,
      deps.kinds.flatMap(({ errorShapes }) => errorShapes ?? []),
    ),
  );
  hono.notFound(notFound(hono));

  hono.route("/", healthRoutes(deps));
  hono.route("/", metricsRoutes(deps.scrape));
  hono.route("/", openApiRoutes());
  const kinds = deps.kinds.map((kind) => kind.mount(hono, serving));
  if (deps.adminToken !== undefined) {
    const failures = serving.createLimit({
      name: "sign-in",
      perMinute: deps.signInsPerMinute,
      message: "Too many wrong admin tokens from this address, please try again in a minute",
    });
    const { hashKey, readAddress } = serving;
    hono.route("/api/admin", adminRoutes({ ...deps, hashKey, readAddress, failures, kinds }, deps.adminToken));
    hono.route("/", adminPageRoutes());
  }
  const app = {
    hono,
    heartbeat: deps.tracing ? undefined : kinds.find(({ heartbeat }) => heartbeat)?.heartbeat,
    signing: deps.signing,
    counts: deps.counts,
    waits: (path: string) => kinds.some((kind) => kind.waits?.(path)),
    bodyBytesMax: (path: string) => Math.max(BODY_BYTES_MAX, ...kinds.map((kind) => kind.bodyBytesMax?.(path) ?? 0)),
  };
  return { app, kinds };
}
