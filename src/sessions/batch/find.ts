import type { Database } from "../../database/database.ts";
import { FOUND_MAX, idsFrom } from "../id-prefix.ts";
import type { BatchSession } from "./contract.ts";
import { selectMeantBatches } from "./reading-sql.ts";
import { describeSession } from "./session.ts";

/** The sessions whose id begins so, newest first, at most 20. */
export async function findSessions(database: Database, idPrefix: string): Promise<BatchSession[]> {
  const ids = idsFrom(idPrefix);
  if (ids === undefined) return [];
  return (await selectMeantBatches(database, { ...ids, limit: FOUND_MAX })).map((row) => describeSession(row));
}
