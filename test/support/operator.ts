/** Who changes something in a test, as the audit log has it; and a kick as the command line does it. */
import type { Operator } from "../../src/audit/operator.ts";
import type { Database } from "../../src/database/database.ts";
import { findSessions, kickSession } from "../../src/sessions/device/index.ts";

export const BY: Operator = { who: "a test", from: null };

/** Ends the one live session whose id begins so. */
export async function kickByPrefix(database: Database, prefix: string): Promise<"kicked" | "unknown" | "ambiguous"> {
  const [session, another] = await findSessions(database, prefix);
  if (another) return "ambiguous";
  if (!session) return "unknown";
  const kick = { keyId: session.key_id, generation: session.generation, note: null };
  const { sessionEnded, leaseFreed } = await kickSession(database, kick, BY);
  return sessionEnded || leaseFreed ? "kicked" : "unknown";
}
