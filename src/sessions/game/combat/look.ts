import type { Database } from "../../../database/database.ts";
import { noSuchSession } from "../../no-such-session.ts";
import type { CombatEvent, CombatSession } from "./contract.ts";
import { selectEvents, selectLookedAt } from "./look-sql.ts";
import { describeCombat, describeEvent } from "./session.ts";

/** The match of a session as an operator sees it, whose looking is no call for it. Undefined: the session has none. */
export async function lookAtCombat(database: Database, sessionId: string): Promise<CombatSession | undefined> {
  const row = await selectLookedAt(database, sessionId);
  return row && describeCombat(row);
}

/** A page of its events: the newest before the cursor's, in their order. Throws session_not_found, also where it has no match. */
export async function listEvents(
  database: Database,
  sessionId: string,
  { limit, cursor }: { limit: number; cursor?: number | undefined },
): Promise<{ events: CombatEvent[]; next_cursor: string | null }> {
  const rows = await selectEvents(database, sessionId, { before: cursor, limit: limit + 1 });
  if (rows === undefined) throw noSuchSession();
  const shown = rows.slice(-limit);
  return {
    events: shown.map(describeEvent),
    next_cursor: rows.length > limit ? String(shown[0]?.sequence) : null,
  };
}
