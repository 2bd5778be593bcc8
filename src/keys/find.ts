import type { Database } from "../database/database.ts";
import type { HashKey } from "./secret.ts";
import { type KeyRow, selectMeantKeys } from "./sql.ts";
import { formsOf, trimKey } from "./written.ts";

const FOUND_MAX = 20;

/**
 * The keys that a person may mean, at most 20: by an id ("12", or "id:12" where a key begins with these digits too), by
 * their beginning, or by the whole key.
 */
export async function findKeys(database: Database, hashKey: HashKey, given: string): Promise<KeyRow[]> {
  const text = trimKey(given);
  const which = text.replace(/…$/, ""); // as the list shows it
  const byId = /^id:(\d{1,15})$/.exec(which);
  const digits = /^\d{1,15}$/.test(which);
  return selectMeantKeys(database, {
    id: byId ? Number(byId[1]) : digits ? Number(which) : undefined,
    hashes: formsOf(text).map(hashKey),
    prefix: byId || which === "" || [...which].length > 8 ? undefined : which,
    limit: FOUND_MAX,
  });
}
