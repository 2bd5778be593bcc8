import { type HashKey, keyPrefix } from "./secret.ts";
import type { NewKey } from "./sql.ts";
import { formsOf } from "./written.ts";

export interface WrittenKey {
  key: string;
  label: string | null;
  expiresAt: string | null;
}

/** What is kept of a key. One that can be of our own making is kept as it would have been minted, however it is written. */
export function newKey({ key: given, label, expiresAt }: WrittenKey, hashKey: HashKey): NewKey & { key: string } {
  const key = formsOf(given).at(-1) as string;
  const alias = key === given ? null : hashKey(given);
  return { key, hash: hashKey(key), alias, prefix: keyPrefix(key), label, expiresAt };
}
