import type { Database } from "../../../database/database.ts";
import type { GameCaller } from "../caller.ts";
import { settleDue } from "../cleanup.ts";
import { COUNTED_MAX } from "../contract.ts";
import type { CombatListQuery } from "./contract.ts";
import { selectCombats } from "./list-sql.ts";
import { describeCombat } from "./session.ts";

/** A page of the matches that the caller made, takes part in or could join, a service's of all, newest first. Throws `unavailable`. */
export async function listCombats(
  database: Database,
  { status, mode, limit, cursor }: CombatListQuery,
  { playerId, isService }: GameCaller,
) {
  await settleDue(database);
  const { total, rows } = await selectCombats(database, {
    whose: isService ? undefined : playerId,
    status,
    mode,
    before: cursor,
    limit: limit + 1,
    countedMax: COUNTED_MAX + 1,
  });
  const shown = rows.slice(0, limit);
  const has_more = rows.length > limit;
  return {
    sessions: shown.map(({ combat }) => describeCombat(combat)),
    total_count: Math.min(total, COUNTED_MAX),
    total_count_is_exact: total <= COUNTED_MAX,
    has_more,
    next_cursor: has_more ? String(shown.at(-1)?.number) : undefined,
  };
}
