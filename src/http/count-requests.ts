/** Counts every request by its route. */
import type { Context, MiddlewareHandler } from "hono";
import { matchedRoutes } from "hono/route";
import { AppError } from "../errors.ts";
import { type AnswerCode, type Counts, countAnswer, countsOfRoute } from "../metrics/counts.ts";
import type { HttpEnv } from "./request-id.ts";

/** Must come before every other handler, to see what they answer. */
export function countRequests(counts: Counts): MiddlewareHandler<HttpEnv> {
  return async (c, next) => {
    const began = performance.now();
    await next();
    const { method, path } = routeOf(c);
    countAnswer(countsOfRoute(counts, method, path), codeOf(c), began);
  };
}

/** By what it is mounted at, never by what was asked for: there are as many addresses as callers can think of. */
export function routeOf(c: Context): { method: string; path: string } {
  const handler = matchedRoutes(c).findLast(({ method }) => method !== "ALL");
  return handler ?? { method: "any", path: "none" };
}

export function codeOf(c: Context): AnswerCode {
  if (c.error instanceof AppError) return c.error.code;
  if (c.res.status === 503) return "unavailable"; // /health says it without an error
  return c.error === undefined ? "ok" : "internal_error";
}
