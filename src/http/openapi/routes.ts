/** GET /openapi.json, /openapi-3.0.json and /docs: served as committed, from memory. */
import { Hono } from "hono";
import { type Asset, serveAsset } from "../assets.ts";
import { pagePolicy } from "../page-policy.ts";
import type { HttpEnv } from "../request-id.ts";

/** Swagger UI's own icons are data: images in its style sheet. */
const POLICY = pagePolicy(["img-src 'self' data:", "connect-src 'self'"], { trustedTypes: false });

const JSON_TYPE = "application/json";
const SCRIPT = "text/javascript; charset=utf-8";
const STYLE = "text/css; charset=utf-8";

const ASSETS: Record<string, Asset> = {
  "/openapi.json": { file: "docs/openapi.json", type: JSON_TYPE },
  "/openapi-3.0.json": { file: "docs/openapi-3.0.json", type: JSON_TYPE },
  "/docs": {
    file: "docs/index.html",
    type: "text/html; charset=utf-8",
    headers: { ...POLICY, "Referrer-Policy": "no-referrer" },
  },
  "/docs/start.js": { file: "docs/start.js", type: SCRIPT },
  "/docs/page.css": { file: "docs/page.css", type: STYLE },
  "/docs/swagger-ui-bundle.js": { file: "docs/swagger-ui-bundle.js", type: SCRIPT },
  "/docs/swagger-ui.css": { file: "docs/swagger-ui.css", type: STYLE },
  "/docs/favicon-32x32.png": { file: "docs/favicon-32x32.png", type: "image/png" },
};

export function openApiRoutes(): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();
  for (const [path, asset] of Object.entries(ASSETS)) routes.get(path, serveAsset(asset));
  return routes;
}
