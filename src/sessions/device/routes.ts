/** /api/session/…: parse, call the verb, reply. */
import { Hono } from "hono";
import type { Endings } from "../../events/endings.ts";
import type { EventStreams } from "../../events/sse.ts";
import { errorBody } from "../../http/answer.ts";
import { readBearer, unauthorized } from "../../http/bearer.ts";
import type { ReadAddress } from "../../http/client-address.ts";
import type { DirectPost } from "../../http/direct.ts";
import { parseJson, readJson } from "../../http/json-body.ts";
import { readQuery } from "../../http/read-query.ts";
import type { HttpEnv } from "../../http/request-id.ts";
import {
  endRequest,
  type HeartbeatReply,
  type HeartbeatRequest,
  heartbeatRequest,
  sessionId,
  startRequest,
  statusRequest,
  watchQuery,
} from "./contract.ts";
import type { DeviceCounts } from "./counts.ts";
import type { DeviceSessions } from "./deps.ts";
import { endSession } from "./end.ts";
import { type Ending, tellEnding } from "./ending.ts";
import { beatSession } from "./heartbeat.ts";
import { notLive } from "./refusal.ts";
import { startSession } from "./start.ts";
import { readStatus } from "./status.ts";
import { watchSession } from "./watch.ts";

/** Who watches what in this process, and the streams that tell them. */
interface Watching {
  endings: Endings<Ending>;
  streams: EventStreams;
}

export interface DeviceRoutes extends DeviceSessions, Watching {
  counts: DeviceCounts;
  readAddress: ReadAddress;
}

/** What every device calls twice a minute; answered without Hono wherever that can be. */
export function heartbeatRoute(service: DeviceSessions): DirectPost {
  return {
    path: "/api/session/heartbeat",
    run: (text) => keepAlive(service, parseJson(text, heartbeatRequest)),
  };
}

export function deviceRoutes(service: DeviceRoutes): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();

  routes.post("/start", async (c) => {
    const request = await readJson(c, startRequest);
    const reply = await startSession(service, request, () => service.readAddress(c));
    const found = reply.resumed ? "resumed" : reply.previous_session_terminated ? "takeover" : "new";
    service.counts.starts[found]++;
    return c.json(reply);
  });

  routes.post("/heartbeat", async (c) => c.json(await keepAlive(service, await readJson(c, heartbeatRequest))));

  routes.post("/end", async (c) => {
    const { session_id } = await readJson(c, endRequest);
    return c.json({ success: await endSession(service, session_id) });
  });

  routes.post("/status", async (c) => {
    const request = await readJson(c, statusRequest);
    return c.json(await readStatus(service, request, () => service.readAddress(c)));
  });

  routes.get("/watch", async (c) => {
    const withProof = readQuery(c, watchQuery).proof === "true";
    const bearer = readBearer(c);
    if (bearer === undefined) {
      throw unauthorized(c, "keybeat session", "Please send the session id, as Authorization: Bearer <session_id>");
    }
    const id = sessionId.safeParse(bearer);
    if (!id.success) throw notLive("unknown", withProof);

    const outcome = await watchSession(service, id.data);
    if (!outcome.live) throw notLive(outcome.ending, withProof);
    if (c.req.method === "HEAD") {
      outcome.stop();
      return c.body(null, 200, { "Cache-Control": "no-store", "Content-Type": "text/event-stream" });
    }
    const requestId = c.get("requestId");
    try {
      const stream = service.streams.open(outcome.stop, { "X-Request-Id": requestId }, `session ${id.data}`);
      stream.send("live", outcome.reply);
      // The same words as the 410 that a heartbeat would get.
      void outcome.ended.then((ended) => {
        const { reason } = tellEnding(ended, withProof);
        stream.finish(reason, errorBody(notLive(ended, withProof), requestId));
      });
      return stream.response;
    } catch (error) {
      outcome.stop();
      throw error;
    }
  });

  return routes;
}

async function keepAlive(service: DeviceSessions, { session_id, proof }: HeartbeatRequest): Promise<HeartbeatReply> {
  const outcome = await beatSession(service, session_id, proof);
  if (outcome.live) return outcome.reply;
  throw notLive(outcome.ending, proof !== undefined);
}
