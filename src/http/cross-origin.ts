/**
 * Which web pages of other origins may call (CORS_ORIGINS, none unless named), what browsers are told of that, and
 * headers that keep an answer from being taken for something else. Cookies are never allowed across origins, and no
 * other origin is ever let at /api/admin.
 */
import type { Context, MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import { secureHeaders } from "hono/secure-headers";
import { AppError } from "../errors.ts";
import type { HttpEnv } from "./request-id.ts";

/** The headers every answer from Hono carries. A page adds its own Content-Security-Policy. */
export function safeHeaders(): MiddlewareHandler<HttpEnv> {
  return secureHeaders({
    xFrameOptions: "DENY",
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
    allowMethods: ["GET", "POST", "PUT", "DELETE"],
    allowHeaders: ["Content-Type", "Authorization", "X-Request-Id", "Idempotency-Key", "Last-Event-ID"],
    exposeHeaders: ["X-Request-Id", "Retry-After"],
    maxAge: 600,
  });
  return (c, next) => (/^\/api\/admin(\/|$)/.test(c.req.path) ? next() : allow(c, next));
}

/**
 * Lets nothing be changed by another site's page unless it is of these origins. A browser sends a form, or a POST without
 * a body, wherever a page wants, without asking first; and where no token is asked for, nothing else stands in between.
 * The devices' routes need none of it: they take JSON alone, for which a browser asks first, and a secret.
 */
export function ownPages(origins: readonly string[]): MiddlewareHandler<HttpEnv> {
  return async (c, next) => {
    if (!isReading(c.req.method) && isAnotherSite(c, origins)) throw anotherSite();
    await next();
  };
}

/** `Sec-Fetch-Site` is the browser's own word, also where a proxy has changed the name that it asked for. */
function isAnotherSite(c: Context, origins: readonly string[]): boolean {
  const site = c.req.header("sec-fetch-site");
  const origin = c.req.header("origin");
  if (origins.includes("*") || site === "same-origin" || site === "none") return false;
  if (origin === undefined) return site !== undefined;
  return !origins.includes(origin) && !isOwnOrigin(c, origin);
}

/** No other site's page can set one of these headers without being asked back. */
export function isOwnOrigin(c: Context, origin: string): boolean {
  const hosts = [c.req.header("host"), c.req.header("x-forwarded-host"), new URL(c.req.url).host];
  return URL.canParse(origin) && hosts.includes(new URL(origin).host);
}

export const anotherSite = () => new AppError("csrf_failed", "This request comes from another site");

export const isReading = (method: string): boolean => method === "GET" || method === "HEAD" || method === "OPTIONS";
