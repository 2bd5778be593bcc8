import type { Database } from "../database/database.ts";
import { OperatorError, UsageError } from "../errors.ts";
import { parseExpiry } from "./expiry.ts";
import { checkLabel } from "./label.ts";
import { type HashKey, KEY_LENGTH_MAX, keyPrefix, mintKey } from "./secret.ts";
import { insertKeys } from "./sql.ts";
import { isStorable } from "./text.ts";

export interface CreatedKey {
  /** The whole key: this is the only time that anybody sees it. */
  access_key: string;
  id: number;
  label: string | null;
  /** RFC 3339, or null: never. */
  expires_at: string | null;
}

/**
 * Makes an access key, or takes the given one in. `expires` is an ISO date or a span like "30d".
 * Throws an OperatorError if that key exists, a UsageError if a value makes no sense.
 */
export async function createKey(
  database: Database,
  hashKey: HashKey,
  wanted: { key?: string; label?: string; expires?: string } = {},
): Promise<CreatedKey> {
  const key = wanted.key ?? mintKey();
  if (key.length === 0 || key.length > KEY_LENGTH_MAX) {
    throw new UsageError(`a key has 1 to ${KEY_LENGTH_MAX} characters`);
  }
  if (!isStorable(key)) throw new UsageError("the key is not well-formed text");
  const label = checkLabel(wanted.label);
  const expiresAt = wanted.expires === undefined ? null : parseExpiry(wanted.expires);
  const [row] = await insertKeys(database, [{ hash: hashKey(key), prefix: keyPrefix(key), label, expiresAt }]);
  if (!row) throw new OperatorError("that key exists already");
  return { access_key: key, id: row.id, label, expires_at: expiresAt };
}
