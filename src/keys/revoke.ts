import { operatorOfCommandLine } from "../audit/operator.ts";
import type { Database } from "../database/database.ts";
import type { HashKey } from "./secret.ts";
import { findKeys, type KeyRow, revokeKeyRow } from "./sql.ts";
import { formsOf, trimKey } from "./written.ts";

const LIST_MAX = 20;

export type RevokeOutcome =
  | { outcome: "revoked"; key: KeyRow; sessionRevoked: boolean }
  | { outcome: "unknown" }
  /** Several keys fit, so none was touched. At most 20 are listed. */
  | { outcome: "ambiguous"; keys: KeyRow[] };

/**
 * Revokes the one key that `given` means: its id ("12", or "id:12" where a key begins with these digits too), its
 * beginning, or the whole key. Its live session ends as `revoked` in the same transaction.
 */
export async function revokeKey(database: Database, hashKey: HashKey, given: string): Promise<RevokeOutcome> {
  const text = trimKey(given);
  const which = text.replace(/…$/, ""); // as the list shows it
  const byId = /^id:(\d{1,15})$/.exec(which);
  const digits = /^\d{1,15}$/.test(which);
  const found = await findKeys(database, {
    id: byId ? Number(byId[1]) : digits ? Number(which) : undefined,
    hashes: formsOf(text).map(hashKey),
    prefix: byId || which === "" || [...which].length > 8 ? undefined : which,
    limit: LIST_MAX,
  });
  const [key] = found;
  if (!key) return { outcome: "unknown" };
  if (found.length > 1) return { outcome: "ambiguous", keys: found };
  const { known, sessionRevoked } = await revokeKeyRow(database, key.id, null, operatorOfCommandLine());
  return known ? { outcome: "revoked", key, sessionRevoked } : { outcome: "unknown" };
}
