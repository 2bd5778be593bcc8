import type { Database } from "../../database/database.ts";
import { FOUND_MAX, idsFrom } from "../id-prefix.ts";
import type { GameSession } from "./contract.ts";
import { selectMeantGames } from "./reading-sql.ts";
import { describeSession } from "./session.ts";

/** The sessions whose id begins so, newest first, at most 20. */
export async function findSessions(database: Database, idPrefix: string): Promise<GameSession[]> {
  const ids = idsFrom(idPrefix);
  return ids === undefined ? [] : (await selectMeantGames(database, { ...ids, limit: FOUND_MAX })).map(describeSession);
}
