import { batchAdminPart } from "../../admin/batch/description.ts";
import { batchAdminRoutes } from "../../admin/batch/routes.ts";
import { untilFree } from "../../database/locked.ts";
import type { Kind } from "../kind.ts";
import { cleanUpBatches, redateBatches } from "./cleanup.ts";
import { batchErrors, batchPart } from "./description.ts";
import { openBatchReplay } from "./follow.ts";
import { parallelErrors } from "./parallel/errors.ts";
import { parallelRoutes } from "./parallel/routes.ts";
import { batchBodyBytesMax, batchRoutes, createTokenGate } from "./routes.ts";
import { describeBatches } from "./samples.ts";
import { type BatchSettings, batchSettings } from "./settings.ts";
import { configureBatches, selectBatchNumbers } from "./upkeep-sql.ts";

/** Long runs over many nodes (see index.ts). */
export const batch = {
  name: "batch",
  settings: batchSettings,
  tables: ["batch_settings", "batch_sessions", "batch_nodes", "batch_events", "batch_idempotency_keys"],
  part: batchPart,
  adminPart: batchAdminPart,
  errors: batchErrors,

  open({ settings, database, log }) {
    return {
      errorShapes: [parallelErrors],
      async settle() {
        await untilFree(log, "the settings of batch sessions", () =>
          configureBatches(database, settings.silenceSeconds),
        );
        await untilFree(log, "the dates of batch sessions", () => redateBatches(database));
      },
      async cleanUp({ untilMs, found }): Promise<Record<string, number>> {
        const { ended, forgotten } = await cleanUpBatches(database, { untilMs, retentionDays: settings.retentionDays });
        if (ended + forgotten === 0) return {};
        found();
        return { batches_ended: ended, batches_forgotten: forgotten };
      },
      readSamples: async () => describeBatches(await selectBatchNumbers(database)),

      mount(app, { listener, streams }) {
        const replay = openBatchReplay({ database, listener, log });
        const routes = { database, streams, replay, expectToken: createTokenGate(settings.token) };
        app.route("/api/v1/batch", batchRoutes(routes));
        app.route("/api/v1/parallel", parallelRoutes(routes));
        return {
          mountAdmin: (admin) => admin.route("/batch", batchAdminRoutes({ database })),
          bodyBytesMax: batchBodyBytesMax,
          close: replay.close,
        };
      },
    };
  },
} as const satisfies Kind<BatchSettings>;
