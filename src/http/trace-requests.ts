/** A span around every request, when tracing is on. */
import type { MiddlewareHandler } from "hono";
import type { Tracing } from "../tracing/tracing.ts";
import { codeOf, routeOf } from "./count-requests.ts";
import type { HttpEnv } from "./request-id.ts";

/** Must precede the handlers, to see what they answer. */
export function traceRequests(tracing: Tracing): MiddlewareHandler<HttpEnv> {
  return (c, next) =>
    tracing.request(c.req.header(), async (answered) => {
      await next();
      const { method, path } = routeOf(c);
      answered({ method, route: path, status: c.res.status, code: codeOf(c) });
    });
}
