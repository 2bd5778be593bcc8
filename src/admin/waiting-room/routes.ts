/** /api/admin/waiting-room */
import { type Context, Hono } from "hono";
import type { Database } from "../../database/database.ts";
import type { AdminEnv } from "../../http/admin-auth.ts";
import { parseShape, readJson, readOptionalJson } from "../../http/json-body.ts";
import { readQuery } from "../../http/read-query.ts";
import { userId } from "../../sessions/waiting-room/contract.ts";
import { admitWaiter } from "./admit.ts";
import { listPlacesQuery, movesQuery, patchPlaceRequest, patchRoomRequest, removePlaceRequest } from "./contract.ts";
import { eraseUser } from "./erase.ts";
import { listMoves } from "./moves.ts";
import { listPlaces, readPlace } from "./places.ts";
import { prioritiseWaiter } from "./prioritise.ts";
import { removePlace } from "./remove.ts";
import { changeRoom, readRoom } from "./room.ts";

export function roomAdminRoutes({ database }: { database: Database }): Hono<AdminEnv> {
  const routes = new Hono<AdminEnv>();

  routes.get("/", async (c) => c.json(await readRoom(database)));
  routes.patch("/", async (c) =>
    c.json(await changeRoom(database, await readJson(c, patchRoomRequest), c.get("operator"))),
  );

  routes.get("/places", async (c) => c.json(await listPlaces(database, readQuery(c, listPlacesQuery))));
  routes.get("/places/:user_id", async (c) => c.json(await readPlace(database, userOf(c))));
  routes.patch("/places/:user_id", async (c) => {
    const { priority } = await readJson(c, patchPlaceRequest);
    return c.json(await prioritiseWaiter(database, { userId: userOf(c), priority }, c.get("operator")));
  });
  routes.post("/places/:user_id/admit", async (c) => c.json(await admitWaiter(database, userOf(c), c.get("operator"))));
  routes.post("/places/:user_id/remove", async (c) => {
    const { reason } = await readOptionalJson(c, removePlaceRequest);
    await removePlace(database, { userId: userOf(c), reason: reason || null }, c.get("operator"));
    return c.json({ success: true });
  });

  routes.get("/users/:user_id/moves", async (c) =>
    c.json(await listMoves(database, userOf(c), readQuery(c, movesQuery))),
  );
  routes.delete("/users/:user_id", async (c) => {
    await eraseUser(database, userOf(c), c.get("operator"));
    return c.json({ success: true });
  });

  return routes;
}

const userOf = (c: Context) => parseShape(c.req.param("user_id"), userId, "user_id");
