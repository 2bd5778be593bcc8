/** /api/admin: what operators do over HTTP. Mounted only where an admin token is configured. */
import { Hono } from "hono";
import { insertAudit } from "../audit/sql.ts";
import type { Database } from "../database/database.ts";
import type { EventStreams } from "../events/sse.ts";
import { type AdminEnv, adminAuth } from "../http/admin-auth.ts";
import type { ReadAddress } from "../http/client-address.ts";
import { readQuery } from "../http/read-query.ts";
import type { CleanupReport } from "../jobs/cleanup.ts";
import type { HashKey } from "../keys/index.ts";
import type { Limit } from "../limits/limit.ts";
import type { Logger } from "../log.ts";
import { listAudit } from "./audit/list.ts";
import { pageQuery } from "./contract.ts";
import { numbersQuery } from "./device/contract.ts";
import { eventRoute } from "./device/event-route.ts";
import { createFeed } from "./device/feed.ts";
import { createNumbers } from "./device/numbers.ts";
import { sessionRoutes } from "./device/routes.ts";
import { keyRoutes } from "./keys/routes.ts";
import { signInRoute, signOutRoute } from "./sign-ins/routes.ts";
import { createSignIns } from "./sign-ins/sign-ins.ts";
import { roomRoutes } from "./waiting-room/routes.ts";

export interface Administration {
  database: Database;
  hashKey: HashKey;
  version: string;
  streams: EventStreams;
  log: Logger;
  readAddress: ReadAddress;
  /** Counts wrong tokens. */
  failures: Limit;
  cleanUp(): Promise<CleanupReport>;
}

export function adminRoutes(deps: Administration, adminToken: string): Hono<AdminEnv> {
  const { database } = deps;
  const routes = new Hono<AdminEnv>();
  const signIns = createSignIns(database, adminToken);
  routes.route("/", signInRoute(signIns, deps));
  routes.use("*", adminAuth({ signIns, readAddress: deps.readAddress, failures: deps.failures }));
  routes.route("/", signOutRoute(database));
  routes.get("/me", (c) => {
    const csrf_token = c.get("signedIn")?.csrfToken;
    return c.json({
      signed_in: true,
      by: csrf_token === undefined ? "token" : "page",
      ...(csrf_token !== undefined && { csrf_token }),
      version: deps.version,
    });
  });

  routes.route("/keys", keyRoutes(deps));
  routes.route("/sessions", sessionRoutes(deps));
  routes.route("/waiting-room", roomRoutes(deps));
  const readNumbers = createNumbers(database);
  routes.get("/numbers", async (c) => c.json(await readNumbers(readQuery(c, numbersQuery).hours)));
  routes.route("/", eventRoute(createFeed(database, deps.log), deps.streams, signIns.findEnded));
  routes.get("/audit", async (c) => c.json(await listAudit(database, readQuery(c, pageQuery))));
  routes.post("/cleanup-sessions", async (c) => {
    const { deleted } = await deps.cleanUp();
    if (deleted > 0) {
      await insertAudit(database, { by: c.get("operator"), action: "sessions_cleaned_up", details: { deleted } });
    }
    return c.json({ success: true, deleted });
  });
  return routes;
}
