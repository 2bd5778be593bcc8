/**
 * What browsers are told: which web pages may call the devices' routes (CORS_ORIGINS, none unless named), and headers
 * that keep an answer from being taken for something else. Cookies are never allowed across origins, and no other
 * origin is ever let at /api/admin.
 */
import type { MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import { secureHeaders } from "hono/secure-headers";
import type { HttpEnv } from "./request-id.ts";

/** The headers every answer from Hono carries. A page adds its own Content-Security-Policy. */
export function safeHeaders(): MiddlewareHandler<HttpEnv> {
  return secureHeaders({
    // Whether there is TLS is known to the proxy, and one wrong HSTS locks browsers out for a year.
    strictTransportSecurity: false,
    // Scripts for other pages are to be loaded from here.
    crossOriginResourcePolicy: false,
  });
}

/** Lets web pages of these origins (`*`: of any) call the API, and read the headers that they need to. */
export function crossOrigin(origins: readonly string[]): MiddlewareHandler<HttpEnv> {
  const allow = cors({
    origin: origins.includes("*") ? "*" : [...origins],
    allowMethods: ["GET", "POST", "DELETE"],
    allowHeaders: ["Content-Type", "Authorization", "X-Request-Id"],
    exposeHeaders: ["X-Request-Id", "Retry-After"],
    maxAge: 600,
  });
  return (c, next) => (/^\/api\/admin(\/|$)/.test(c.req.path) ? next() : allow(c, next));
}
