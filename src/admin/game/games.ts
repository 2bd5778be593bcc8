import { z } from "zod";
import type { Database } from "../../database/database.ts";
import { settleDue } from "../../sessions/game/cleanup.ts";
import { lookAtCombat } from "../../sessions/game/combat/look.ts";
import { findSessions } from "../../sessions/game/find.ts";
import { readDetails } from "../../sessions/game/read.ts";
import { selectGames } from "../../sessions/game/reading-sql.ts";
import { describeSession } from "../../sessions/game/session.ts";
import { pageOf } from "../page-of.ts";
import type { GameReply, ListGames } from "./contract.ts";

/**
 * A page of the sessions that fit all that is asked for, newest first. `search`: the beginning of a session's id, 8 characters
 * or more; or a player, who made them or takes part in them.
 */
export async function listGames(database: Database, { cursor, limit, type, status, search }: ListGames) {
  await settleDue(database);
  const player = z.guid().safeParse(search).data;
  if (search) {
    const found = await findSessions(database, search);
    if (found.length > 0 || player === undefined) {
      const fits = (one: { type: string; status: string }) =>
        one.type === (type ?? one.type) && one.status === (status ?? one.status);
      return { items: cursor === undefined ? found.filter(fits) : [], next_cursor: null };
    }
  }
  const asked = { whose: player, playerId: undefined, type, status, before: cursor, limit: limit + 1, countedMax: 0 };
  const { rows } = await selectGames(database, asked);
  return pageOf(rows, limit, { placeOf: (row) => row.number, item: describeSession });
}

/** One session, the newest entries of its log, what has happened in it, and its match. Throws session_not_found. */
export const readGame = async (database: Database, sessionId: string): Promise<GameReply> => ({
  session: await readDetails(database, sessionId, "operator", { logs: true, stats: true }),
  match: await lookAtCombat(database, sessionId),
});
