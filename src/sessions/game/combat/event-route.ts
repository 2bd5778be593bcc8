/** GET /api/v1/game/combat/sessions/{id}/events */
import type { Context } from "hono";
import type { Database } from "../../../database/database.ts";
import { replyEvents, type Watching } from "../../../http/event-replay.ts";
import type { HttpEnv } from "../../../http/request-id.ts";
import type { GameCaller } from "../caller.ts";
import { FIRST_EVENT, standingOf } from "./follow.ts";
import { readStateRow } from "./read.ts";
import { describeState } from "./session.ts";

export interface CombatWatching extends Watching {
  database: Database;
}

export async function openEvents(
  c: Context<HttpEnv>,
  watching: CombatWatching,
  sessionId: string,
  by: GameCaller,
): Promise<Response> {
  const { database } = watching;
  return replyEvents(c, watching, {
    subject: sessionId.toLowerCase(),
    now: standingOf(await readStateRow(database, sessionId, by)),
    findFirst: async () => FIRST_EVENT,
    async readWhole() {
      const row = await readStateRow(database, sessionId, by);
      return { now: standingOf(row), data: describeState(row) };
    },
  });
}
