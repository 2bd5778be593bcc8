/** /api/v1/batch/…: parse, call the verb, reply. */
import { Hono, type MiddlewareHandler } from "hono";
import { createTokenCheck, readBearer, unauthorized } from "../../http/bearer.ts";
import { readIdempotencyKey } from "../../http/idempotency-key.ts";
import { parseShape, readJson, readOptionalJson } from "../../http/json-body.ts";
import { readQuery } from "../../http/read-query.ts";
import type { HttpEnv } from "../../http/request-id.ts";
import { idOf } from "../../http/session-id.ts";
import { cancelSession } from "./cancel.ts";
import { claimSession } from "./claim.ts";
import { completeSession } from "./complete.ts";
import {
  cancelRequest,
  claimRequest,
  completeRequest,
  createRequest,
  listQuery,
  nodeId,
  nodesQuery,
  progressRequest,
  RESULT_BYTES_MAX,
  RUN_BYTES_MAX,
  resultRequest,
  sessionQuery,
  transitionRequest,
} from "./contract.ts";
import { createSession } from "./create.ts";
import { type BatchWatching, openEvents } from "./event-route.ts";
import { listSessions, readStats } from "./list.ts";
import { reportProgress } from "./progress.ts";
import { putResult } from "./put-node.ts";
import { listNodes, readSession } from "./read.ts";
import { resumeSession } from "./resume.ts";
import { moveSession } from "./transition.ts";

export interface BatchRoutes extends BatchWatching {
  /** Who changes or lists something must have it. */
  expectToken: MiddlewareHandler<HttpEnv>;
}

export function batchRoutes(batch: BatchRoutes): Hono<HttpEnv> {
  const { database, expectToken } = batch;
  const routes = new Hono<HttpEnv>();

  routes.get("/stats", expectToken, async (c) => c.json(await readStats(database)));
  routes.get("/sessions", expectToken, async (c) => c.json(await listSessions(database, readQuery(c, listQuery))));
  routes.post("/sessions", expectToken, async (c) => {
    const request = await readJson(c, createRequest, { bytesMax: RUN_BYTES_MAX });
    return c.json(await createSession(database, request, readIdempotencyKey(c)), 201);
  });

  routes.get("/sessions/:session_id", async (c) => {
    const { results } = readQuery(c, sessionQuery);
    return c.json(await readSession(database, idOf(c), results === "true"));
  });
  routes.get("/sessions/:session_id/nodes", async (c) =>
    c.json(await listNodes(database, idOf(c), readQuery(c, nodesQuery))),
  );
  routes.get("/sessions/:session_id/events", (c) => openEvents(c, batch, idOf(c)));

  routes.post("/sessions/:session_id/claim", expectToken, async (c) =>
    c.json(await claimSession(database, idOf(c), await readOptionalJson(c, claimRequest))),
  );
  routes.post("/sessions/:session_id/transition", expectToken, async (c) =>
    c.json(await moveSession(database, idOf(c), await readJson(c, transitionRequest))),
  );
  routes.post("/sessions/:session_id/complete", expectToken, async (c) =>
    c.json(await completeSession(database, idOf(c), await readOptionalJson(c, completeRequest))),
  );
  routes.post("/sessions/:session_id/progress", expectToken, async (c) =>
    c.json(await reportProgress(database, idOf(c), await readOptionalJson(c, progressRequest))),
  );
  routes.put("/sessions/:session_id/nodes/:node_id", expectToken, async (c) => {
    const node = parseShape(c.req.param("node_id"), nodeId, "node_id");
    const request = await readJson(c, resultRequest, { bytesMax: RESULT_BYTES_MAX });
    return c.json(await putResult(database, { sessionId: idOf(c), nodeId: node }, request));
  });
  routes.post("/sessions/:session_id/cancel", expectToken, async (c) => {
    const { reason } = await readOptionalJson(c, cancelRequest);
    return c.json(await cancelSession(database, idOf(c), reason, null));
  });
  routes.post("/sessions/:session_id/resume", expectToken, async (c) => {
    const { isNew, session } = await resumeSession(database, idOf(c), null);
    return c.json(session, isNew ? 201 : 200);
  });

  return routes;
}

/** How large a request to that path may be. */
export function batchBodyBytesMax(path: string): number | undefined {
  if (/^\/api\/v1\/(batch\/sessions|parallel\/execute)$/.test(path)) return RUN_BYTES_MAX;
  return /^\/api\/v1\/batch\/sessions\/[^/]+\/nodes\/[^/]+$/.test(path) ? RESULT_BYTES_MAX : undefined;
}

/** `token` undefined: nobody is asked for one. */
export function createTokenGate(token: string | undefined): MiddlewareHandler<HttpEnv> {
  if (token === undefined) return (_, next) => next();
  const isToken = createTokenCheck(token);
  return async (c, next) => {
    const sent = readBearer(c, /./);
    if (sent !== undefined && isToken(sent)) return next();
    throw unauthorized(
      c,
      "keybeat batch",
      "Please send the token of the batch sessions, as Authorization: Bearer <token>",
    );
  };
}
