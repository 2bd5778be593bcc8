/** /api/admin: what operators do over HTTP. Mounted only where an admin token is configured. */
import { Hono } from "hono";
import type { Database } from "../database/database.ts";
import { type AdminEnv, adminAuth } from "../http/admin-auth.ts";
import type { ReadAddress } from "../http/client-address.ts";
import { readQuery } from "../http/read-query.ts";
import type { CleanupReport } from "../jobs/cleanup.ts";
import type { HashKey } from "../keys/index.ts";
import type { Limit } from "../limits/limit.ts";
import type { Mounted } from "../sessions/kind.ts";
import { listAudit } from "./audit/list.ts";
import { cleanUpNow } from "./cleanup-sessions.ts";
import { pageQuery } from "./contract.ts";
import { keyRoutes } from "./keys/routes.ts";
import { signedInRoutes, signInRoute } from "./sign-in/routes.ts";
import { createSignIns } from "./sign-in/sign-ins.ts";

export interface Administration {
  database: Database;
  hashKey: HashKey;
  version: string;
  readAddress: ReadAddress;
  /** Counts wrong tokens. */
  failures: Limit;
  kinds: readonly Mounted[];
  cleanUp(): Promise<CleanupReport>;
}

export function adminRoutes(deps: Administration, adminToken: string): Hono<AdminEnv> {
  const { database } = deps;
  const routes = new Hono<AdminEnv>();
  const signIns = createSignIns(database, adminToken);
  routes.route("/", signInRoute(signIns, deps));
  routes.use("*", adminAuth({ signIns, readAddress: deps.readAddress, failures: deps.failures }));
  routes.route("/", signedInRoutes(signIns, deps.version));

  routes.route("/keys", keyRoutes(deps));
  for (const kind of deps.kinds) kind.mountAdmin?.(routes, signIns);
  routes.get("/audit", async (c) => c.json(await listAudit(database, readQuery(c, pageQuery))));
  routes.post("/cleanup-sessions", async (c) => {
    const deleted = await cleanUpNow(deps, c.get("operator"));
    return c.json({ success: true, deleted });
  });
  return routes;
}
