/**
 * /admin: the operator's page, files that the build has put into dist/assets/admin. Nothing of them is secret: what the
 * page shows comes from the admin API, after signing in. Mounted only where that API is.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Hono } from "hono";
import { serveAsset } from "../../http/assets.ts";
import type { HttpEnv } from "../../http/request-id.ts";
import { packageRoot } from "../../version.ts";

/** Nothing inline, nothing from elsewhere, and no text that a script could turn into HTML. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const PAGE_HEADERS = {
  "Content-Security-Policy": CONTENT_SECURITY_POLICY,
};

const TYPES: Record<string, string> = {
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
};

export function adminPageRoutes(): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();
  routes.get(
    "/admin",
    serveAsset({ file: "admin/index.html", type: "text/html; charset=utf-8", headers: PAGE_HEADERS }),
  );
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
