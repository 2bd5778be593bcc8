import type { Database } from "../../database/database.ts";
import { type FoundSessionRow, selectMeantSessions } from "./listing-sql.ts";

const FOUND_MAX = 20;

/** The live sessions whose id begins so, and those that ended and left a lease which holds, at most 20. */
export async function findSessions(database: Database, sessionIdPrefix: string): Promise<FoundSessionRow[]> {
  const prefix = sessionIdPrefix.replace(/…$/, ""); // as the list shows it
  return prefix === "" ? [] : selectMeantSessions(database, prefix, FOUND_MAX);
}
