import { Hono } from "hono";
import type { Database } from "../database/database.ts";
import { pingDatabase } from "../database/ping.ts";
import { retryAfterSeconds } from "./error-reply.ts";
import type { HttpEnv } from "./request-id.ts";

/** /health asks the database; /health/live only says that the process runs. */
export function healthRoutes(database: Database, version: string): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();
  routes.get("/health", async (c) => {
    c.header("Cache-Control", "no-store");
    try {
      await pingDatabase(database);
      return c.json({ status: "ok", database: "ok", version });
    } catch {
      const headers = { "Retry-After": String(retryAfterSeconds()) };
      return c.json({ status: "unavailable", database: "unavailable", version }, 503, headers);
    }
  });
  routes.get("/health/live", (c) => c.json({ status: "ok" }));
  return routes;
}
