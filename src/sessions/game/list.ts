import type { Database } from "../../database/database.ts";
import type { GameCaller } from "./caller.ts";
import { settleDue } from "./cleanup.ts";
import { COUNTED_MAX, type ListQuery } from "./contract.ts";
import { selectGames } from "./reading-sql.ts";
import { describeSession } from "./session.ts";

/** A page of the sessions that the caller made or takes part in, a service's of all, newest first. Throws `unavailable`. */
export async function listSessions(
  database: Database,
  { type, status, player_id, limit, cursor }: ListQuery,
  { playerId, isService }: Pick<GameCaller, "playerId" | "isService">,
) {
  await settleDue(database);
  const { total, rows } = await selectGames(database, {
    whose: isService ? undefined : playerId,
    type,
    status,
    playerId: player_id,
    before: cursor,
    limit: limit + 1,
    countedMax: COUNTED_MAX + 1,
  });
  const shown = rows.slice(0, limit);
  const has_more = rows.length > limit;
  return {
    sessions: shown.map(describeSession),
    ...describeCount(total),
    has_more,
    next_cursor: has_more ? String(shown.at(-1)?.number) : undefined,
  };
}

/** Of a count that went one further than it says. */
export const describeCount = (counted: number) => ({
  total_count: Math.min(counted, COUNTED_MAX),
  total_count_is_exact: counted <= COUNTED_MAX,
});
