/** POST /api/session/…: parse, call the verb, reply. */
import { Hono } from "hono";
import { AppError } from "../../errors.ts";
import type { Endings } from "../../events/endings.ts";
import type { EventStreams } from "../../events/sse.ts";
import { type PostRoute, postRoute } from "../../http/post-route.ts";
import type { HttpEnv } from "../../http/request-id.ts";
import { endRequest, heartbeatRequest, sessionId, startRequest, statusRequest } from "./contract.ts";
import type { DeviceCounts } from "./counts.ts";
import { endSession } from "./end.ts";
import type { Ending } from "./ending.ts";
import { beatSession } from "./heartbeat.ts";
import type { DeviceSessions } from "./service.ts";
import type { EndingReason } from "./sql.ts";
import { startSession } from "./start.ts";
import { readStatus } from "./status.ts";
import { watchSession } from "./watch.ts";

const ENDINGS: Record<EndingReason, string> = {
  replaced: "Another device has taken over this access key",
  expired: "The session has expired",
  ended: "The session has ended",
  revoked: "The session was ended by the operator",
};

/** Who watches what in this process, and the streams that tell them. */
interface Watching {
  endings: Endings<Ending>;
  streams: EventStreams;
}

/** The one that every device calls twice a minute. */
export function heartbeatRoute(service: DeviceSessions): PostRoute {
  return postRoute("/api/session/heartbeat", heartbeatRequest, async ({ session_id }) => {
    const outcome = await beatSession(service, session_id);
    if (outcome.live) return outcome.reply;
    throw notLive(outcome.ending);
  });
}

export function otherRoutes(service: DeviceSessions & { counts: DeviceCounts }): PostRoute[] {
  return [
    postRoute("/api/session/start", startRequest, async (request, from) => {
      const reply = await startSession(service, request, from);
      const found = reply.resumed ? "resumed" : reply.previous_session_terminated ? "takeover" : "new";
      service.counts.starts[found]++;
      return reply;
    }),
    postRoute("/api/session/end", endRequest, async ({ session_id }) => ({
      success: await endSession(service, session_id),
    })),
    postRoute("/api/session/status", statusRequest, (request, from) => readStatus(service, request, from)),
  ];
}

/** GET /api/session/watch */
export function watchRoutes(service: DeviceSessions & Watching): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();

  routes.get("/watch", async (c) => {
    const bearer = /^Bearer\s+(\S+)$/i.exec(c.req.header("authorization") ?? "")?.[1];
    if (bearer === undefined) {
      c.header("WWW-Authenticate", 'Bearer realm="keybeat session"');
      throw new AppError("unauthorized", "Please send the session id, as Authorization: Bearer <session_id>");
    }
    const id = sessionId.safeParse(bearer);
    if (!id.success) throw notLive("unknown");

    const outcome = await watchSession(service, id.data);
    if (!outcome.live) throw notLive(outcome.ending);
    if (c.req.method === "HEAD") {
      outcome.stop();
      return c.body(null);
    }
    const requestId = c.get("requestId");
    try {
      const stream = service.streams.open(outcome.stop, { "X-Request-Id": requestId }, `session ${id.data}`);
      stream.send("live", outcome.reply);
      void outcome.ended.then((ending) => stream.finish(ending.reason, endedBody(ending, requestId)));
      return stream.response;
    } catch (error) {
      outcome.stop();
      throw error;
    }
  });

  return routes;
}

function notLive(ending: Ending | "unknown"): AppError {
  if (ending === "unknown") return new AppError("session_not_found", "Session not found or expired");
  return new AppError(`session_${ending.reason}`, ENDINGS[ending.reason], ending.data);
}

/** The same words as the 410 that a heartbeat would get. */
function endedBody(ending: Ending, request_id: string) {
  return { error: ENDINGS[ending.reason], code: `session_${ending.reason}`, request_id, ...ending.data };
}
