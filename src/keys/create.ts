import type { Operator } from "../audit/operator.ts";
import type { Database } from "../database/database.ts";
import { OperatorError } from "../errors.ts";
import { parseExpiry } from "./expiry.ts";
import { checkLabel } from "./label.ts";
import { newKey } from "./new-key.ts";
import { type HashKey, mintKey } from "./secret.ts";
import { insertKey } from "./sql.ts";
import { readKey } from "./written.ts";

export interface CreatedKey {
  /** The whole key: this is the only time that anybody sees it. */
  access_key: string;
  id: number;
  label: string | null;
  /** RFC 3339, or null: never. */
  expires_at: string | null;
}

/**
 * Makes an access key, or takes the given one in. `expires` is as parseExpiry takes it.
 * Throws an OperatorError if that key exists, a UsageError if a value makes no sense.
 */
export async function createKey(
  database: Database,
  hashKey: HashKey,
  wanted: { key?: string; label?: string; expires?: string },
  by: Operator,
): Promise<CreatedKey> {
  const key = {
    key: wanted.key === undefined ? undefined : readKey(wanted.key),
    label: checkLabel(wanted.label),
    expiresAt: wanted.expires === undefined ? null : parseExpiry(wanted.expires),
  };
  const added = await addKey(database, hashKey, key, by);
  if (!added) throw new OperatorError("that key exists already");
  const { createdAt: _unsaid, ...created } = added;
  return created;
}

/** As createKey, of values that were checked. Undefined: that key exists, and stays as it is. */
export async function addKey(
  database: Database,
  hashKey: HashKey,
  wanted: { key: string | undefined; label: string | null; expiresAt: string | null },
  by: Operator,
): Promise<(CreatedKey & { createdAt: Date }) | undefined> {
  const { key: given = mintKey(), label, expiresAt } = wanted;
  const key = newKey({ key: given, label, expiresAt }, hashKey);
  const row = await insertKey(database, key, by);
  return row && { access_key: key.key, id: row.id, label, expires_at: expiresAt, createdAt: row.createdAt };
}
