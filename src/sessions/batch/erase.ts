import type { Operator } from "../../audit/operator.ts";
import type { Database } from "../../database/database.ts";
import { noSuchSession } from "../no-such-session.ts";
import { eraseBatchRow } from "./sql.ts";

/** Takes away the session, whatever its state, its results and events, and what the audit log says of it. Throws session_not_found. */
export async function eraseSession(database: Database, sessionId: string, by: Operator): Promise<void> {
  if (!(await eraseBatchRow(database, sessionId, by))) throw noSuchSession();
}
