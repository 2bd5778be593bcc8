import { allById } from "../database/all-by-id.ts";
import type { Database } from "../database/database.ts";
import { type KeyRow, selectKeys } from "./sql.ts";

export type { KeyRow };

/** All keys in the order of their ids. */
export function listKeys(database: Database): AsyncGenerator<KeyRow> {
  return allById(
    (page) => selectKeys(database, page),
    ({ id }) => id,
  );
}
