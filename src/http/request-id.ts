import { randomUUID } from "node:crypto";
import type { MiddlewareHandler } from "hono";

export interface HttpEnv {
  Variables: { requestId: string };
}

const SANE = /^[\w.:=+/@-]{1,128}$/;

/** The caller's X-Request-Id if it is sane, otherwise a new one. */
export function chooseRequestId(given: string | undefined): string {
  return given !== undefined && SANE.test(given) ? given : randomUUID();
}

/** Every answer carries its request's id. */
export const requestId: MiddlewareHandler<HttpEnv> = (c, next) => {
  const id = chooseRequestId(c.req.header("x-request-id"));
  c.set("requestId", id);
  c.header("X-Request-Id", id);
  return next();
};
