/** /api/admin/game */
import { type Context, Hono } from "hono";
import { readAnalytics } from "../../analytics/read.ts";
import type { Database } from "../../database/database.ts";
import type { AdminEnv } from "../../http/admin-auth.ts";
import { parseShape, readOptionalJson } from "../../http/json-body.ts";
import { readQuery } from "../../http/read-query.ts";
import { idOf } from "../../http/session-id.ts";
import { listEvents } from "../../sessions/game/combat/look.ts";
import { playerId } from "../../sessions/game/contract.ts";
import { erasePlayer } from "../../sessions/game/erase.ts";
import { forceEnd } from "../../sessions/game/force-end.ts";
import { listLogs } from "../../sessions/game/read.ts";
import { endGameRequest, gameAnalyticsQuery, gameEventsQuery, gameLogsQuery, listGamesQuery } from "./contract.ts";
import { listGames, readGame } from "./games.ts";

export function gameAdminRoutes({ database }: { database: Database }): Hono<AdminEnv> {
  const routes = new Hono<AdminEnv>();

  routes.get("/", async (c) => c.json(await listGames(database, readQuery(c, listGamesQuery))));
  routes.get("/analytics", async (c) =>
    c.json(await readAnalytics(database, readQuery(c, gameAnalyticsQuery), { playerId: undefined, isService: true })),
  );
  routes.get("/:session_id", async (c) => c.json(await readGame(database, idOf(c))));
  routes.get("/:session_id/logs", async (c) =>
    c.json(await listLogs(database, idOf(c), "operator", readQuery(c, gameLogsQuery))),
  );
  routes.get("/:session_id/events", async (c) =>
    c.json(await listEvents(database, idOf(c), readQuery(c, gameEventsQuery))),
  );
  routes.post("/:session_id/end", async (c) => {
    const { reason } = await readOptionalJson(c, endGameRequest);
    const { session } = await forceEnd(database, idOf(c), reason || undefined, c.get("operator"));
    return c.json(session);
  });

  return routes;
}

/** /api/admin/players */
export function playerAdminRoutes({ database }: { database: Database }): Hono<AdminEnv> {
  const routes = new Hono<AdminEnv>();
  routes.delete("/:player_id", async (c) => {
    await erasePlayer(database, playerOf(c), c.get("operator"));
    return c.json({ success: true });
  });
  return routes;
}

const playerOf = (c: Context) => parseShape(c.req.param("player_id"), playerId, "player_id");
