/** GET /api/v1/batch/sessions/{id}/events */
import type { Context } from "hono";
import type { Database } from "../../database/database.ts";
import { replyEvents, type Watching } from "../../http/event-replay.ts";
import type { HttpEnv } from "../../http/request-id.ts";
import { findFirst, standingOf, tell } from "./follow.ts";
import { readRun, readWhole } from "./read.ts";

export interface BatchWatching extends Watching {
  database: Database;
}

export async function openEvents(c: Context<HttpEnv>, watching: BatchWatching, sessionId: string): Promise<Response> {
  const { database } = watching;
  const run = await readRun(database, sessionId);
  return replyEvents(c, watching, {
    subject: sessionId,
    now: standingOf(run),
    findFirst: () => findFirst(database, run),
    async readWhole() {
      const whole = await readWhole(database, sessionId);
      return {
        now: standingOf(whole.run),
        data: tell(whole.run, "reset", whole.run.updated_at, whole.session),
      };
    },
  });
}
