/** /api/admin/sessions */
import { Hono } from "hono";
import type { Database } from "../../database/database.ts";
import type { AdminEnv } from "../../http/admin-auth.ts";
import { readJson } from "../../http/json-body.ts";
import { readQuery } from "../../http/read-query.ts";
import type { HashKey } from "../../keys/index.ts";
import { kickSessionRow } from "../../sessions/device/sql.ts";
import { kickRequest, listSessionsQuery, searchSessionsRequest } from "./contract.ts";
import { searchSessions } from "./search.ts";

export function sessionRoutes({ database, hashKey }: { database: Database; hashKey: HashKey }): Hono<AdminEnv> {
  const routes = new Hono<AdminEnv>();

  routes.get("/", async (c) => c.json(await searchSessions(database, hashKey, readQuery(c, listSessionsQuery))));

  routes.post("/search", async (c) =>
    c.json(await searchSessions(database, hashKey, await readJson(c, searchSessionsRequest))),
  );

  routes.post("/kick", async (c) => {
    const { key_id, generation = null, reason } = await readJson(c, kickRequest);
    const kick = { keyId: key_id, generation, note: reason || null };
    return c.json({ success: await kickSessionRow(database, kick, c.get("operator")) });
  });

  return routes;
}
