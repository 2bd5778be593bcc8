/**
 * Matches addresses as they are written. The router compares decoded and normalised paths, so `/%6Detrics`, `//metrics`
 * and `/x/../metrics` would reach `/metrics`, past a proxy that closes a path by its prefix. So the fixed parts of a
 * route must be spelt out in the request; only values of `:names` may be encoded.
 */
import type { HttpBindings } from "@hono/node-server";
import type { Context, MiddlewareHandler } from "hono";
import { matchedRoutes } from "hono/route";
import { AppError } from "../errors.ts";
import type { HttpEnv } from "./request-id.ts";

export const asWritten: MiddlewareHandler<HttpEnv> = async (c, next) => {
  const path = writtenPath(c);
  if (!matchedRoutes(c).every((route) => fits(route.path, path))) throw nothingHere();
  await next();
};

export const nothingHere = () => new AppError("not_found", "There is nothing at this address");

/** The path of the request, byte for byte. */
export const writtenPath = (c: Context): string => writtenAddress(c).split(/[?#]/, 1)[0] as string;

/** With the query. The absolute form, as proxies use it, has the server's name before it. */
export function writtenAddress(c: Context): string {
  const { incoming } = (c.env ?? {}) as Partial<HttpBindings>;
  return (incoming?.url ?? c.req.url).replace(/^https?:\/\/[^/?#]*/i, "");
}

/** Hono's route patterns, as far as we use them: fixed parts, `:name`, and `*` at the end. */
export function fits(pattern: string, path: string): boolean {
  const [expected, given] = [pattern.split("/"), path.split("/")];
  const open = expected.at(-1) === "*";
  if (open) expected.pop();
  if (open ? given.length < expected.length : given.length !== expected.length) return false;
  return expected.every((part, at) => (part.startsWith(":") ? given[at] !== "" : part === given[at]));
}
