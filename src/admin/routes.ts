/** /api/admin: what operators do over HTTP. Mounted only where an admin token is configured. */
import { Hono } from "hono";
import type { Database } from "../database/database.ts";
import type { EventStreams } from "../events/sse.ts";
import { type AdminEnv, adminAuth } from "../http/admin-auth.ts";
import type { ReadAddress } from "../http/client-address.ts";
import { readQuery } from "../http/read-query.ts";
import type { CleanupReport } from "../jobs/cleanup.ts";
import type { HashKey } from "../keys/index.ts";
import type { CountAgainst } from "../limits/limit.ts";
import type { Logger } from "../log.ts";
import { listAudit } from "./audit/list.ts";
import { insertAudit } from "./audit/sql.ts";
import { numbersQuery, pageQuery } from "./contract.ts";
import { eventRoute } from "./feed/event-route.ts";
import { createFeed } from "./feed/feed.ts";
import { keyRoutes } from "./keys/key-routes.ts";
import { createNumbers } from "./numbers/read.ts";
import { sessionRoutes } from "./sessions/session-routes.ts";
import { createSignIns, signOut } from "./sign-in.ts";
import { roomRoutes } from "./waiting-room/room-routes.ts";

export interface Administration {
  database: Database;
  hashKey: HashKey;
  version: string;
  streams: EventStreams;
  log: Logger;
  readAddress: ReadAddress;
  /** Counts a wrong token. */
  countFailure: CountAgainst;
  cleanUp(): Promise<CleanupReport>;
}

export function adminRoutes(deps: Administration, adminToken: string): Hono<AdminEnv> {
  const { database } = deps;
  const routes = new Hono<AdminEnv>();
  const signIns = createSignIns(adminToken);
  routes.route("/", signIns.routes(deps));
  routes.use("*", adminAuth({ ...signIns, readAddress: deps.readAddress, countFailure: deps.countFailure }));

  routes.post("/sign-out", async (c) => {
    await insertAudit(database, { by: c.get("operator"), action: "signed_out" }).catch(() => {});
    signOut(c);
    return c.json({ success: true });
  });
  routes.get("/me", (c) => {
    const csrf_token = c.get("csrfToken");
    return c.json({
      ...{ signed_in: true, by: csrf_token === undefined ? "token" : "page" },
      ...(csrf_token !== undefined && { csrf_token }),
      version: deps.version,
    });
  });

  routes.route("/keys", keyRoutes(deps));
  routes.route("/sessions", sessionRoutes(deps));
  routes.route("/waiting-room", roomRoutes(deps));
  const readNumbers = createNumbers(database);
  routes.get("/numbers", async (c) => c.json(await readNumbers(readQuery(c, numbersQuery).hours)));
  routes.route("/", eventRoute(createFeed(database, deps.log), deps.streams));
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
