/** /api/admin: what operators do over HTTP. Mounted only where an admin token is configured. */
import { Hono } from "hono";
import type { HttpEnv } from "../http/request-id.ts";
import type { CleanupReport } from "../jobs/cleanup.ts";

export function adminRoutes(deps: { cleanUp(): Promise<CleanupReport> }): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();
  routes.post("/cleanup-sessions", async (c) => {
    const { deleted } = await deps.cleanUp();
    return c.json({ success: true, deleted });
  });
  return routes;
}
