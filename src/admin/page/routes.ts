/**
 * /admin: the operator's page, files that the build has put into dist/assets/admin. Nothing of them is secret: what the
 * page shows comes from the admin API, after signing in. Mounted only where that API is.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Hono } from "hono";
import { serveAsset } from "../../http/assets.ts";
import { pagePolicy } from "../../http/page-policy.ts";
import type { HttpEnv } from "../../http/request-id.ts";
import { packageRoot } from "../../version.ts";

const POLICY = pagePolicy(["img-src 'self'", "connect-src 'self'"], { trustedTypes: true });

const TYPES: Record<string, string> = {
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
};

export function adminPageRoutes(): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();
  routes.get("/admin", serveAsset({ file: "admin/index.html", type: "text/html; charset=utf-8", headers: POLICY }));
  routes.get("/admin/", (c) => c.redirect("../admin", 308));
  for (const name of builtFiles()) {
    const type = TYPES[name.split(".").at(-1) ?? ""];
    if (type !== undefined) routes.get(`/admin/${name}`, serveAsset({ file: `admin/${name}`, type }));
  }
  return routes;
}

/** None before the first build: then /admin says so. */
function builtFiles(): string[] {
  try {
    return readdirSync(join(packageRoot(), "dist/assets/admin"));
  } catch {
    return [];
  }
}
