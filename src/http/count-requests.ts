/** Counts every request by its route. */
import type { Context, MiddlewareHandler } from "hono";
import { matchedRoutes } from "hono/route";
import { AppError } from "../errors.ts";
import { type AnswerCode, type Counts, countAnswer, countsOfRoute } from "../metrics/counts.ts";
import type { HttpEnv } from "./request-id.ts";

/** Must precede all other handlers, to see what they answer. */
export function countRequests(counts: Counts): MiddlewareHandler<HttpEnv> {
  return async (c, next) => {
    const began = performance.now();
    await next();
    const { method, path } = routeOf(c);
    countAnswer(countsOfRoute(counts, method, path), codeOf(c), began);
  };
}

/** By route pattern, never by the requested path: callers can invent any number of paths. */
export function routeOf(c: Context): { method: string; path: string } {
  const handler = matchedRoutes(c).findLast(({ method }) => method !== "ALL");
  return handler ?? { method: "any", path: "none" };
}

export function codeOf(c: Context): AnswerCode {
  if (c.error instanceof AppError) return c.error.code;
  if (c.res.status === 503) return "unavailable"; // /health answers 503 without an error
  return c.error === undefined ? "ok" : "internal_error";
}
