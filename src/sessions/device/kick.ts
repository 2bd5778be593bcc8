import { operatorOfCommandLine } from "../../audit/operator.ts";
import type { Database } from "../../database/database.ts";
import { type FoundSessionRow, findLiveSessions, kickSessionRow } from "./sql.ts";

const LIST_MAX = 20;

export type KickOutcome =
  | { outcome: "kicked"; session: FoundSessionRow }
  | { outcome: "unknown" }
  /** Several live sessions fit, so none was touched. At most 20 are listed. */
  | { outcome: "ambiguous"; sessions: FoundSessionRow[] };

/** Ends the one live session whose id begins so, as `revoked`. Its key stays good: the device may start again. */
export async function kickSession(database: Database, sessionIdPrefix: string): Promise<KickOutcome> {
  const prefix = sessionIdPrefix.replace(/…$/, "");
  const found = prefix === "" ? [] : await findLiveSessions(database, prefix, LIST_MAX);
  const [session] = found;
  if (!session) return { outcome: "unknown" };
  if (found.length > 1) return { outcome: "ambiguous", sessions: found };
  const kick = { keyId: session.key_id, generation: session.generation, note: null };
  const revoked = await kickSessionRow(database, kick, operatorOfCommandLine());
  return revoked ? { outcome: "kicked", session } : { outcome: "unknown" };
}
