/**
 * Which web pages of other origins may call (CORS_ORIGINS, none by default), what browsers are told about it, and
 * headers that keep an answer from being misread. Cookies are never allowed across origins, and no other origin ever
 * reaches /api/admin.
 */
import type { Context, MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import { secureHeaders } from "hono/secure-headers";
import { AppError } from "../errors.ts";
import type { HttpEnv } from "./request-id.ts";

/** The headers of every answer from Hono. A page adds its own Content-Security-Policy. */
export function safeHeaders(): MiddlewareHandler<HttpEnv> {
  return secureHeaders({
    xFrameOptions: "DENY",
    // No HSTS: only the proxy knows whether there is TLS, and one wrong header locks browsers out for a year.
    strictTransportSecurity: false,
    // Scripts for other pages are loaded from here.
    crossOriginResourcePolicy: false,
  });
}

/** Lets web pages of these origins (`*`: any) call the API and read the headers they need. */
export function crossOrigin(origins: readonly string[]): MiddlewareHandler<HttpEnv> {
  const allow = cors({
    origin: origins.includes("*") ? "*" : [...origins],
    allowMethods: ["GET", "POST", "PUT", "DELETE"],
    allowHeaders: [
      ...["Content-Type", "Authorization", "X-Request-Id", "Idempotency-Key", "Last-Event-ID"],
      ...["Keybeat-Nonce", "Keybeat-Trusts"],
    ],
    exposeHeaders: ["X-Request-Id", "Retry-After", "Keybeat-Signature"],
    maxAge: 600,
  });
  return (c, next) => (/^\/api\/admin(\/|$)/.test(c.req.path) ? next() : allow(c, next));
}

/**
 * Refuses changes by pages of other sites, except of these origins. A browser sends a form, or a POST without a body,
 * wherever a page wants and without a preflight; where no token is required, nothing else stands in between. Devices'
 * routes need no such check: they take only JSON, which requires a preflight, and a secret.
 */
export function ownPages(origins: readonly string[]): MiddlewareHandler<HttpEnv> {
  return async (c, next) => {
    if (!isReading(c.req.method) && isAnotherSite(c, origins)) throw anotherSite();
    await next();
  };
}

/** `Sec-Fetch-Site` is set by the browser itself, even if a proxy has changed the host name. */
function isAnotherSite(c: Context, origins: readonly string[]): boolean {
  const site = c.req.header("sec-fetch-site");
  const origin = c.req.header("origin");
  if (origins.includes("*") || site === "same-origin" || site === "none") return false;
  if (origin === undefined) return site !== undefined;
  return !origins.includes(origin) && !isOwnOrigin(c, origin);
}

/** No page of another site can set one of these headers without a preflight. */
export function isOwnOrigin(c: Context, origin: string): boolean {
  const hosts = [c.req.header("host"), c.req.header("x-forwarded-host"), new URL(c.req.url).host];
  return URL.canParse(origin) && hosts.includes(new URL(origin).host);
}

export const anotherSite = () => new AppError("csrf_failed", "This request comes from another site");

export const isReading = (method: string): boolean => method === "GET" || method === "HEAD" || method === "OPTIONS";
