import type { Database } from "../../database/database.ts";
import type { BatchSession } from "./contract.ts";
import { selectMeantBatches } from "./reading-sql.ts";
import { describeSession } from "./session.ts";

/** A shorter beginning of an id may mean another session tomorrow. */
export const PREFIX_MIN = 8;
const FOUND_MAX = 20;
const LOWEST = "00000000-0000-0000-0000-000000000000";
const HIGHEST = LOWEST.replaceAll("0", "f");
const ID = /^[\da-f]{8}-([\da-f]{4}-){3}[\da-f]{12}$/;

/** The sessions whose id begins so, newest first, at most 20. */
export async function findSessions(database: Database, idPrefix: string): Promise<BatchSession[]> {
  const prefix = idPrefix.toLowerCase();
  const from = prefix + LOWEST.slice(prefix.length);
  const to = prefix + HIGHEST.slice(prefix.length);
  if (prefix.length < PREFIX_MIN || !ID.test(from)) return [];
  return (await selectMeantBatches(database, { from, to, limit: FOUND_MAX })).map((row) => describeSession(row));
}
