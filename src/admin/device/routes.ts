/** What operators see and do of device sessions: /api/admin/sessions, a key's history, /numbers and /events. */
import { Hono } from "hono";
import type { Database } from "../../database/database.ts";
import type { EventStreams } from "../../events/sse.ts";
import type { AdminEnv, FindEndedSignIns } from "../../http/admin-auth.ts";
import { readJson } from "../../http/json-body.ts";
import { readQuery } from "../../http/read-query.ts";
import type { HashKey } from "../../keys/index.ts";
import type { Logger } from "../../log.ts";
import { kickSession } from "../../sessions/device/kick.ts";
import { pageQuery } from "../contract.ts";
import { readKey, readKeyId } from "../keys/search.ts";
import { kickRequest, listSessionsQuery, numbersQuery, searchSessionsRequest } from "./contract.ts";
import { eventRoute } from "./event-route.ts";
import { createFeed } from "./feed.ts";
import { listHistory } from "./history.ts";
import { createNumbers } from "./numbers.ts";
import { searchSessions } from "./search.ts";

export function deviceAdminRoutes(deps: {
  database: Database;
  hashKey: HashKey;
  streams: EventStreams;
  findEnded: FindEndedSignIns;
  log: Logger;
}): Hono<AdminEnv> {
  const { database, hashKey } = deps;
  const routes = new Hono<AdminEnv>();

  routes.get("/sessions", async (c) =>
    c.json(await searchSessions(database, hashKey, readQuery(c, listSessionsQuery))),
  );

  routes.post("/sessions/search", async (c) =>
    c.json(await searchSessions(database, hashKey, await readJson(c, searchSessionsRequest))),
  );

  routes.post("/sessions/kick", async (c) => {
    const { key_id, generation = null, reason } = await readJson(c, kickRequest);
    const kick = { keyId: key_id, generation, note: reason || null };
    const { sessionEnded, leaseFreed } = await kickSession(database, kick, c.get("operator"));
    return c.json({ success: sessionEnded || leaseFreed, session_ended: sessionEnded, lease_freed: leaseFreed });
  });

  routes.get("/keys/:id/history", async (c) => {
    const { id } = await readKey(database, readKeyId(c.req.param("id")));
    return c.json(await listHistory(database, id, readQuery(c, pageQuery)));
  });

  const readNumbers = createNumbers(database);
  routes.get("/numbers", async (c) => c.json(await readNumbers(readQuery(c, numbersQuery).hours)));
  routes.get("/events", eventRoute(createFeed(database, deps.log), deps.streams, deps.findEnded));

  return routes;
}
