/** GET /metrics */
import { Hono } from "hono";
import { Registry } from "prom-client";
import type { HttpEnv } from "../http/request-id.ts";

/** `scrape` gives the text of the whole service. Nothing secret is in it, so nobody is asked who they are. */
export function metricsRoutes(scrape: () => Promise<string>): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();
  routes.get("/metrics", async (c) =>
    c.body(await scrape(), 200, {
      "Content-Type": Registry.PROMETHEUS_CONTENT_TYPE,
      "Cache-Control": "no-store",
    }),
  );
  return routes;
}
