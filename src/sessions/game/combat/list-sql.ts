/** Lists of matches: migrations/functions/game-combat-lists.sql. */
import type { Database } from "../../../database/database.ts";
import { words } from "../reading-sql.ts";
import { type CombatListQuery, combatMode } from "./contract.ts";
import type { CombatRow } from "./sql.ts";

export interface CombatPage extends Pick<CombatListQuery, "status" | "mode" | "limit"> {
  /** That player's, and those that it could join; undefined: all. */
  whose: string | undefined;
  before: number | undefined;
  countedMax: number;
}

/** Newest first, `before` excluded, and how many there are in all, counted so far. */
export async function selectCombats(
  database: Database,
  { whose, status, mode, before = Number.MAX_SAFE_INTEGER, limit, countedMax }: CombatPage,
): Promise<{ total: number; rows: Array<{ number: number; combat: CombatRow }> }> {
  const rows = await database.requests.query(
    (sql) => sql`
      SELECT * FROM list_matches(
        ${whose ?? null}::uuid, ${status}, ${words(sql, mode ? [mode] : combatMode.options)}, ${before}, ${limit}, ${countedMax})`,
  );
  return {
    total: rows[0]?.total,
    rows: rows.filter(({ number }) => number !== null) as unknown as Array<{ number: number; combat: CombatRow }>,
  };
}
