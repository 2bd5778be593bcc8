/** /api/v1/parallel/…: parse, call the verb, reply. */
import { type Context, Hono } from "hono";
import { readIdempotencyKey } from "../../../http/idempotency-key.ts";
import { readJson, readOptionalJson } from "../../../http/json-body.ts";
import type { HttpEnv } from "../../../http/request-id.ts";
import { idOf } from "../../../http/session-id.ts";
import { cancelSession } from "../cancel.ts";
import { cancelRequest, RUN_BYTES_MAX } from "../contract.ts";
import type { BatchRoutes } from "../routes.ts";
import { executeRequest } from "./contract.ts";
import { executeGroups } from "./execute.ts";
import { readTaskStatus } from "./status.ts";

export function parallelRoutes({ database, expectToken }: BatchRoutes): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();

  routes.post("/execute", expectToken, async (c) => {
    const request = await readJson(c, executeRequest, { bytesMax: RUN_BYTES_MAX });
    return c.json(await executeGroups(database, request, readIdempotencyKey(c)), 202);
  });
  routes.get("/status/:task_id", async (c) => c.json(await readTaskStatus(database, idOf(c, "task_id"))));

  const cancel = async (c: Context<HttpEnv>) => {
    const { reason } = await readOptionalJson(c, cancelRequest);
    return c.json(await cancelSession(database, idOf(c, "task_id"), reason, null));
  };
  routes.delete("/cancel/:task_id", expectToken, cancel);
  routes.post("/cancel/:task_id", expectToken, cancel);

  return routes;
}
