/** POST /api/session/…: parse, call the verb, reply. */
import { Hono } from "hono";
import { AppError } from "../../errors.ts";
import { readJson } from "../../http/json-body.ts";
import type { HttpEnv } from "../../http/request-id.ts";
import { endRequest, heartbeatRequest, startRequest, statusRequest } from "./contract.ts";
import { endSession } from "./end.ts";
import { beatSession, type EndingReason } from "./heartbeat.ts";
import type { DeviceSessions } from "./service.ts";
import { startSession } from "./start.ts";
import { readStatus } from "./status.ts";

const ENDINGS: Record<EndingReason, string> = {
  replaced: "Another device has taken over this access key",
  expired: "The session has expired",
  ended: "The session has ended",
  revoked: "The session was ended by the operator",
};

export function deviceSessionRoutes(service: DeviceSessions): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();

  routes.post("/start", async (c) => c.json(await startSession(service, await readJson(c, startRequest))));

  routes.post("/heartbeat", async (c) => {
    const { session_id } = await readJson(c, heartbeatRequest);
    const outcome = await beatSession(service, session_id);
    if (outcome.live) return c.json(outcome.reply);
    if (outcome.reason === "unknown") throw new AppError("session_not_found", "Session not found or expired");
    const { live: _live, reason, ...ended } = outcome;
    throw new AppError(`session_${reason}`, ENDINGS[reason], ended);
  });

  routes.post("/end", async (c) => {
    const { session_id } = await readJson(c, endRequest);
    return c.json({ success: await endSession(service, session_id) });
  });

  routes.post("/status", async (c) => c.json(await readStatus(service, await readJson(c, statusRequest))));

  return routes;
}
