/** /api/v1/game/analytics/…: parse, call the verb, reply. */
import { Hono } from "hono";
import type { Database } from "../database/database.ts";
import type { ReadCaller } from "../http/caller.ts";
import { readQuery } from "../http/read-query.ts";
import type { HttpEnv } from "../http/request-id.ts";
import { analyticsQuery } from "./contract.ts";
import { readAnalytics } from "./read.ts";

export function analyticsRoutes({
  database,
  readCaller,
}: {
  database: Database;
  readCaller: ReadCaller;
}): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();
  routes.get("/sessions", async (c) => {
    const by = await readCaller(c);
    const numbers = await readAnalytics(database, readQuery(c, analyticsQuery), by);
    return c.json(numbers, 200, { "Cache-Control": "no-store" });
  });
  return routes;
}
