import { randomUUID } from "node:crypto";
import type { MiddlewareHandler } from "hono";

export interface HttpEnv {
  Variables: { requestId: string };
}

const SANE = /^[\w.:=+/@-]{1,128}$/;

/** Every answer names its request: by the caller's X-Request-Id where that is sane, else by a new one. */
export const requestId: MiddlewareHandler<HttpEnv> = (c, next) => {
  const given = c.req.header("x-request-id");
  const id = given !== undefined && SANE.test(given) ? given : randomUUID();
  c.set("requestId", id);
  c.header("X-Request-Id", id);
  return next();
};
