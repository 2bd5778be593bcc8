/** /demo/waiting-room: 25 simulated users and yourself in the real room; files that the build has put into dist/assets. */
import { Hono } from "hono";
import { serveAsset } from "../../../http/assets.ts";
import type { HttpEnv } from "../../../http/request-id.ts";

/** Nothing inline, nothing from elsewhere, and no text that a script could turn into HTML. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const PAGE = "/demo/waiting-room";

export function waitingRoomDemoRoutes(): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();
  const headers = { "Content-Security-Policy": CONTENT_SECURITY_POLICY, "Referrer-Policy": "no-referrer" };
  routes.get(PAGE, serveAsset({ file: "waiting-room/demo.html", type: "text/html; charset=utf-8", headers }));
  routes.get(`${PAGE}/demo.js`, serveAsset({ file: "waiting-room/demo.js", type: "text/javascript; charset=utf-8" }));
  routes.get(`${PAGE}/demo.css`, serveAsset({ file: "waiting-room/demo.css", type: "text/css; charset=utf-8" }));
  return routes;
}
