/** /key: a key's owner sees who uses it, and signs that device out; files that the build has put into dist/assets. */
import { Hono } from "hono";
import { serveAsset } from "../../../http/assets.ts";
import { pagePolicy } from "../../../http/page-policy.ts";
import type { HttpEnv } from "../../../http/request-id.ts";

const POLICY = pagePolicy(["connect-src 'self'", "img-src data:"], { trustedTypes: true });

const PAGE = "/key";

export function keyPageRoutes(): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();
  const headers = { ...POLICY, "Referrer-Policy": "no-referrer", "Cache-Control": "no-store" };
  routes.get(PAGE, serveAsset({ file: "key/page.html", type: "text/html; charset=utf-8", headers }));
  routes.get(`${PAGE}/page.js`, serveAsset({ file: "key/page.js", type: "text/javascript; charset=utf-8" }));
  routes.get(`${PAGE}/page.css`, serveAsset({ file: "key/page.css", type: "text/css; charset=utf-8" }));
  return routes;
}
