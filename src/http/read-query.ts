import type { Context } from "hono";
import type { z } from "zod";
import { parseShape } from "./json-body.ts";

/** The query of the URL, checked; throws invalid_request. */
export function readQuery<T extends z.ZodType>(c: Context, schema: T): z.infer<T> {
  return parseShape(queryOf(c), schema);
}

/**
 * Of a name that comes twice the first. Not by Hono, which looks for a `=` to the end of the address anew with every
 * name that has none.
 */
export function queryOf(c: Context): Record<string, string> {
  const { url } = c.req;
  const at = url.indexOf("?");
  const pairs = at === -1 ? [] : [...new URLSearchParams(url.slice(at + 1))];
  return Object.fromEntries(pairs.reverse());
}
