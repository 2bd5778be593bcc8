import type { Database } from "../../database/database.ts";
import { noSuchSession } from "../no-such-session.ts";
import type { GameCaller } from "./caller.ts";
import type { GameSession } from "./contract.ts";
import { describeSession } from "./session.ts";
import { selectGame } from "./sql.ts";

/** The session as it is now; to ask for it is a call for it. Throws session_not_found (another's, too), or unavailable. */
export async function readSession(database: Database, sessionId: string, by: GameCaller): Promise<GameSession> {
  const row = await selectGame(database, sessionId, by);
  if (row === undefined) throw noSuchSession();
  return describeSession(row);
}
