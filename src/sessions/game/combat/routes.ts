/** /api/v1/game/combat/…: parse, call the verb, reply. */
import { type Context, Hono } from "hono";
import type { ReadCaller } from "../../../http/caller.ts";
import { readIdempotencyKey } from "../../../http/idempotency-key.ts";
import { readJson, readOptionalJson } from "../../../http/json-body.ts";
import { readQuery } from "../../../http/read-query.ts";
import type { HttpEnv } from "../../../http/request-id.ts";
import { idOf } from "../../../http/session-id.ts";
import { GAME_BYTES_MAX } from "../contract.ts";
import { act } from "./act.ts";
import { actionRequest, combatListQuery, createCombatRequest, playersRequest } from "./contract.ts";
import { createCombat } from "./create.ts";
import { type CombatWatching, openEvents } from "./event-route.ts";
import { joinCombat } from "./join.ts";
import { leaveCombat } from "./leave.ts";
import { listCombats } from "./list.ts";
import { readCombat, readState } from "./read.ts";

export interface CombatRoutes extends CombatWatching {
  readCaller: ReadCaller;
}

const BYTES = { bytesMax: GAME_BYTES_MAX };

export function combatRoutes(combat: CombatRoutes): Hono<HttpEnv> {
  const { database, readCaller } = combat;
  const routes = new Hono<HttpEnv>();

  routes.get("/sessions", async (c) => {
    const by = await readCaller(c);
    return reply(c, await listCombats(database, readQuery(c, combatListQuery), by));
  });
  routes.post("/sessions", async (c) => {
    const by = await readCaller(c);
    const request = await readJson(c, createCombatRequest, BYTES);
    return reply(c, await createCombat(database, request, by, readIdempotencyKey(c)), 201);
  });

  routes.get("/sessions/:session_id", async (c) => {
    const by = await readCaller(c);
    return reply(c, await readCombat(database, idOf(c), by));
  });
  routes.get("/sessions/:session_id/state", async (c) => {
    const by = await readCaller(c);
    return reply(c, await readState(database, idOf(c), by));
  });
  routes.get("/sessions/:session_id/events", async (c) => {
    const by = await readCaller(c);
    return openEvents(c, combat, idOf(c), by);
  });

  routes.post("/sessions/:session_id/join", async (c) => {
    const by = await readCaller(c);
    return reply(c, await joinCombat(database, idOf(c), await readOptionalJson(c, playersRequest, BYTES), by));
  });
  routes.post("/sessions/:session_id/leave", async (c) => {
    const by = await readCaller(c);
    return reply(c, await leaveCombat(database, idOf(c), await readOptionalJson(c, playersRequest, BYTES), by));
  });
  routes.post("/sessions/:session_id/actions", async (c) => {
    const by = await readCaller(c);
    return reply(c, await act(database, idOf(c), await readJson(c, actionRequest, BYTES), by));
  });

  return routes;
}

/** It is for those who take part, so nobody between keeps it. */
const reply = (c: Context<HttpEnv>, body: object, status: 200 | 201 = 200) =>
  c.json(body, status, { "Cache-Control": "no-store" });
