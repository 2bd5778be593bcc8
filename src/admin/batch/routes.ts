/** /api/admin/batch */
import { Hono } from "hono";
import type { Database } from "../../database/database.ts";
import type { AdminEnv } from "../../http/admin-auth.ts";
import { readOptionalJson } from "../../http/json-body.ts";
import { readQuery } from "../../http/read-query.ts";
import { idOf } from "../../http/session-id.ts";
import { cancelSession } from "../../sessions/batch/cancel.ts";
import { eraseSession } from "../../sessions/batch/erase.ts";
import { forceEnd } from "../../sessions/batch/force-end.ts";
import { resumeSession } from "../../sessions/batch/resume.ts";
import { listBatches, listBatchNodes, readBatch } from "./batches.ts";
import { endBatchRequest, listBatchesQuery, listNodesQuery } from "./contract.ts";

export function batchAdminRoutes({ database }: { database: Database }): Hono<AdminEnv> {
  const routes = new Hono<AdminEnv>();

  routes.get("/", async (c) => c.json(await listBatches(database, readQuery(c, listBatchesQuery))));
  routes.get("/:session_id", async (c) => c.json(await readBatch(database, idOf(c))));
  routes.get("/:session_id/nodes", async (c) =>
    c.json(await listBatchNodes(database, idOf(c), readQuery(c, listNodesQuery))),
  );

  routes.post("/:session_id/cancel", async (c) => {
    const { reason } = await readOptionalJson(c, endBatchRequest);
    return c.json(await cancelSession(database, idOf(c), reason || undefined, c.get("operator")));
  });
  routes.post("/:session_id/end", async (c) => {
    const { reason } = await readOptionalJson(c, endBatchRequest);
    return c.json(await forceEnd(database, idOf(c), reason || undefined, c.get("operator")));
  });
  routes.post("/:session_id/resume", async (c) => {
    const { isNew, session } = await resumeSession(database, idOf(c), c.get("operator"));
    return c.json(session, isNew ? 201 : 200);
  });
  routes.delete("/:session_id", async (c) => {
    await eraseSession(database, idOf(c), c.get("operator"));
    return c.json({ success: true });
  });

  return routes;
}
