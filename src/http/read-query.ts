import type { Context } from "hono";
import type { z } from "zod";
import { parseShape } from "./json-body.ts";

/** The URL's query, checked; throws invalid_request. */
export function readQuery<T extends z.ZodType>(c: Context, schema: T): z.infer<T> {
  return parseShape(queryOf(c), schema);
}

/**
 * The first value of a repeated name. Hono's own parser is avoided because it searches for a `=` to the end of the
 * address again for every name without one.
 */
export function queryOf(c: Context): Record<string, string> {
  const { url } = c.req;
  const at = url.indexOf("?");
  const pairs = at === -1 ? [] : [...new URLSearchParams(url.slice(at + 1))];
  return Object.fromEntries(pairs.reverse());
}
