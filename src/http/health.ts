import { Hono } from "hono";
import type { Database } from "../database/database.ts";
import { pingDatabase } from "../database/ping.ts";
import { retryAfterSeconds } from "./error-reply.ts";
import type { HttpEnv } from "./request-id.ts";

/** /health asks the database, and turns as soon as the process begins to stop; /health/live only says that it runs. */
export function healthRoutes(service: { database: Database; version: string; isDraining?(): boolean }): Hono<HttpEnv> {
  const { database, version } = service;
  const routes = new Hono<HttpEnv>();
  routes.get("/health", async (c) => {
    c.header("Cache-Control", "no-store");
    const answers = await pingDatabase(database).then(
      () => true,
      () => false,
    );
    const draining = service.isDraining?.() === true;
    if (answers && !draining) return c.json({ status: "ok", database: "ok", version });
    const status = draining ? "draining" : "unavailable";
    const headers = { "Retry-After": String(retryAfterSeconds()) };
    return c.json({ status, database: answers ? "ok" : "unavailable", version }, 503, headers);
  });
  routes.get("/health/live", (c) => c.json({ status: "ok" }));
  return routes;
}
