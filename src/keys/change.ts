import type { Operator } from "../audit/operator.ts";
import type { Database } from "../database/database.ts";
import { patchKeyRow } from "./sql.ts";

/** Changes what is given; undefined stays as it is. An empty label is none. Returns whether there is such a key. */
export async function changeKey(
  database: Database,
  key: { id: number; label: string | null | undefined; expiresAt: string | null | undefined },
  by: Operator,
): Promise<boolean> {
  const label = key.label === "" ? null : key.label;
  return patchKeyRow(database, key.id, { label, expiresAt: key.expiresAt }, by);
}
