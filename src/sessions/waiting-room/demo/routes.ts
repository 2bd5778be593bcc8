/** /demo/waiting-room: 25 simulated users and yourself in the real room; files that the build has put into dist/assets. */
import { Hono } from "hono";
import { serveAsset } from "../../../http/assets.ts";
import { pagePolicy } from "../../../http/page-policy.ts";
import type { HttpEnv } from "../../../http/request-id.ts";

const POLICY = pagePolicy(["connect-src 'self'", "img-src data:"], { trustedTypes: true });

const PAGE = "/demo/waiting-room";

export function waitingRoomDemoRoutes(): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();
  const headers = { ...POLICY, "Referrer-Policy": "no-referrer" };
  routes.get(PAGE, serveAsset({ file: "waiting-room/demo.html", type: "text/html; charset=utf-8", headers }));
  routes.get(`${PAGE}/demo.js`, serveAsset({ file: "waiting-room/demo.js", type: "text/javascript; charset=utf-8" }));
  routes.get(`${PAGE}/demo.css`, serveAsset({ file: "waiting-room/demo.css", type: "text/css; charset=utf-8" }));
  return routes;
}
