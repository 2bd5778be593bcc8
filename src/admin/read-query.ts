import type { Context } from "hono";
import type { z } from "zod";
import { parseShape } from "../http/json-body.ts";

/** The query of the URL, checked; throws invalid_request. */
export function readQuery<T extends z.ZodType>(c: Context, schema: T): z.infer<T> {
  return parseShape(c.req.query(), schema);
}
