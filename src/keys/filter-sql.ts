/** What keys are searched by, as conditions on a table `k` of keys: for every statement that lists keys or their sessions. */
import type { Sql } from "../database/lane.ts";

export interface KeyFilter {
  hash?: Uint8Array | undefined;
  /** Of another text that the same key may be kept as. */
  alias?: Uint8Array | undefined;
  prefix?: string | undefined;
  label?: string | undefined;
}

/** Only what is asked for stands in the statement, so that each has a plan, and an index, of its own. */
export function andOfKey(sql: Sql, { hash, alias, prefix, label }: KeyFilter) {
  return sql`
    ${hash === undefined ? sql`` : alias === undefined ? sql`AND k.key_hash = ${hash}` : sql`AND k.key_hash IN (${hash}, ${alias})`}
    ${prefix === undefined ? sql`` : sql`AND ${beginsWith(sql, prefix)}`}
    ${
      label === undefined
        ? sql``
        : sql`AND k.id IN (SELECT w.key_id FROM key_words w WHERE w.words @@ label_query(${label}))`
    }`;
}

/** A range of the index: LIKE with a parameter is one only while the planner knows its value. */
export const beginsWith = (sql: Sql, prefix: string) =>
  sql`(k.key_prefix ~>=~ ${prefix} AND k.key_prefix ~<~ ${`${prefix}\u{10ffff}`})`;
