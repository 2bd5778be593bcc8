/** GET /metrics, and the counting of every request by its route. */
import { type Context, Hono, type MiddlewareHandler } from "hono";
import { matchedRoutes } from "hono/route";
import { Registry } from "prom-client";
import { AppError } from "../errors.ts";
import { type Counts, countAnswer, countsOfRoute } from "../metrics/counts.ts";
import type { Tracing } from "../tracing/tracing.ts";
import type { HttpEnv } from "./request-id.ts";

/** `scrape` gives the text of the whole service. Nothing secret is in it, so nobody is asked who they are. */
export function metricsRoutes(scrape: () => Promise<string>): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();
  routes.get("/metrics", async (c) =>
    c.body(await scrape(), 200, {
      "Content-Type": Registry.PROMETHEUS_CONTENT_TYPE,
      "Cache-Control": "no-store",
    }),
  );
  return routes;
}

/** Must come before every other handler, to see what they answer. */
export function countRequests(counts: Counts): MiddlewareHandler<HttpEnv> {
  return async (c, next) => {
    const began = performance.now();
    await next();
    const { method, path } = routeOf(c);
    countAnswer(countsOfRoute(counts, method, path), codeOf(c), began);
  };
}

/** As countRequests. */
export function traceRequests(tracing: Tracing): MiddlewareHandler<HttpEnv> {
  return (c, next) =>
    tracing.request(c.req.header(), async (answered) => {
      await next();
      const { method, path } = routeOf(c);
      answered({ method, route: path, status: c.res.status, code: codeOf(c) });
    });
}

/** By what it is mounted at, never by what was asked for: there are as many addresses as callers can think of. */
function routeOf(c: Context): { method: string; path: string } {
  const handler = matchedRoutes(c).findLast(({ method }) => method !== "ALL");
  return handler ?? { method: "any", path: "none" };
}

function codeOf(c: Context) {
  if (c.error instanceof AppError) return c.error.code;
  if (c.res.status === 503) return "unavailable"; // /health says it without an error
  return c.error === undefined ? "ok" : "internal_error";
}
