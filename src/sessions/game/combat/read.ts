import type { Database } from "../../../database/database.ts";
import { noSuchSession } from "../../no-such-session.ts";
import type { GameCaller } from "../caller.ts";
import type { CombatSession, CombatState } from "./contract.ts";
import { describeCombat, describeState } from "./session.ts";
import { type StateRow, selectCombat, selectCombatState } from "./sql.ts";

/** The match as it is now; to ask for it is a call for it. Throws session_not_found (another's, or no match), or unavailable. */
export async function readCombat(database: Database, sessionId: string, by: GameCaller): Promise<CombatSession> {
  const row = await selectCombat(database, sessionId, by);
  if (row === undefined) throw noSuchSession();
  return describeCombat(row);
}

/** Its state, with its last events. Throws as readCombat does. */
export async function readState(database: Database, sessionId: string, by: GameCaller): Promise<CombatState> {
  return describeState(await readStateRow(database, sessionId, by));
}

/** The same, as it is stored. */
export async function readStateRow(database: Database, sessionId: string, by: GameCaller): Promise<StateRow> {
  const row = await selectCombatState(database, sessionId, by);
  if (row === undefined) throw noSuchSession();
  return row;
}
