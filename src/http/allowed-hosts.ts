/**
 * Which names a request may call the service by. Where only this machine can reach it, any other name than the machine's
 * own is a web page that has bent its name to that address (DNS rebinding): to the browser the page and
 * the service are then one site, and the page could read all that needs no token.
 *
 * Without Host (HTTP/1.0, as some balancers ask for health) there is no browser to protect. A plain heartbeat passes
 * by here (front.ts): it needs a session's secret, which no page can know, and tells nothing else.
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

/** As it stands in ALLOWED_HOSTS: without a port, IPv6 in brackets; `*` for any. */
export function isHostName(text: string): boolean {
  if (text === "*") return true;
  return text.startsWith("[") ? text.endsWith("]") && isIP(text.slice(1, -1)) === 6 : /^[a-z\d_.-]{1,253}$/.test(text);
}

export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));

/** A name without a dot is the machine's, or its network's: none in the public directory is like that. */
const isOwn = (name: string) => isLoopback(name === "[::1]" ? "::1" : name) || /^[a-z][a-z\d-]*$/.test(name);

/** A name may end with the root's dot. */
const nameOf = (host: string) => host.toLowerCase().replace(/:\d*$/, "").replace(/\.$/, "");
