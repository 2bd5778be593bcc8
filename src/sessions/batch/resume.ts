import { randomUUID } from "node:crypto";
import type { Operator } from "../../audit/operator.ts";
import type { Database } from "../../database/database.ts";
import type { BatchSession } from "./contract.ts";
import { unlessRefused } from "./refusal.ts";
import { describeSession } from "./session.ts";
import { resumeBatchRow } from "./sql.ts";

/**
 * Makes a session that carries every success of one that ended without completing, and has the rest still to do; the old
 * one stays as it ended. Asked again it is the same (`isNew` false). Throws an AppError: session_not_found, not_resumable,
 * or unavailable (a large one may be under way: ask again).
 */
export async function resumeSession(
  database: Database,
  sessionId: string,
  by: Operator | null,
): Promise<{ isNew: boolean; session: BatchSession }> {
  const row = unlessRefused(await resumeBatchRow(database, sessionId, randomUUID(), by));
  return { isNew: row.outcome === "resumed", session: describeSession(row) };
}
