/**
 * The names by which the service may be called. If only this machine can reach it, any other name belongs to a web page
 * that points it at this address (DNS rebinding): the browser then sees one site, and the page could read everything
 * that needs no token.
 *
 * A request without Host (HTTP/1.0, some balancers' health checks) has no browser to protect. A plain heartbeat skips
 * this check (front.ts): it needs a session's secret, which no page can know, and reveals nothing else.
 */
import { isIP } from "node:net";
import type { MiddlewareHandler } from "hono";
import { AppError } from "../errors.ts";
import type { HttpEnv } from "./request-id.ts";

export function allowHosts(names: readonly string[]): MiddlewareHandler<HttpEnv> {
  const allowed = new Set(names);
  return async (c, next) => {
    const host = c.req.header("host");
    if (host !== undefined && !isOwn(nameOf(host)) && !allowed.has(nameOf(host))) {
      throw new AppError("forbidden", "This service is not served under this name: add it to ALLOWED_HOSTS");
    }
    await next();
  };
}

/** As written in ALLOWED_HOSTS: without a port, IPv6 in brackets; `*` for any. */
export function isHostName(text: string): boolean {
  if (text === "*") return true;
  return text.startsWith("[") ? text.endsWith("]") && isIP(text.slice(1, -1)) === 6 : /^[a-z\d_.-]{1,253}$/.test(text);
}

export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));

/** A name without a dot is local: no public name looks like that. */
const isOwn = (name: string) => isLoopback(name === "[::1]" ? "::1" : name) || /^[a-z][a-z\d-]*$/.test(name);

/** A name may end with the root's dot. */
const nameOf = (host: string) => host.toLowerCase().replace(/:\d*$/, "").replace(/\.$/, "");
