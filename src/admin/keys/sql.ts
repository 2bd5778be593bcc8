/** Keys as operators see them, with the session that holds each. */
import type { Database } from "../../database/database.ts";
import type { Sql } from "../../database/lane.ts";
import type { Device } from "../../sessions/device/contract.ts";

export interface KeyFilter {
  id?: number | undefined;
  hash?: Uint8Array | undefined;
  /** Of another text that the same key may be kept as. */
  alias?: Uint8Array | undefined;
  prefix?: string | undefined;
  label?: string | undefined;
  state?: "active" | "live" | "revoked" | "expired" | undefined;
  /** Only keys with a lower id. */
  before?: number | undefined;
  limit: number;
}

export interface KeyWithHolderRow {
  id: number;
  /** Masked. */
  access_key: string;
  label: string | null;
  created_at: Date;
  expires_at: Date | null;
  revoked_at: Date | null;
  last_used_at: Date | null;
  generation: number;
  /** Masked; null: nobody is live, and so are the next three. */
  session_id: string | null;
  started_at: Date | null;
  last_heartbeat: Date | null;
  device: Device | null;
}

/** Highest id first. */
export async function selectKeysWithHolder(database: Database, filter: KeyFilter): Promise<KeyWithHolderRow[]> {
  return database.operators.query((sql) => keysWithHolder(sql, filter));
}

/** Only what is asked for stands in the statement, so that each has a plan, and an index, of its own. */
export function keysWithHolder(sql: Sql, filter: KeyFilter) {
  const { id, hash, alias, prefix, label, state, before, limit } = filter;
  return sql<KeyWithHolderRow[]>`
    SELECT k.id, k.key_prefix || '…' AS access_key, k.label, k.created_at, k.expires_at, k.revoked_at, k.last_used_at,
           k.generation, mask_session_id(s.session_id) AS session_id, s.started_at, s.last_heartbeat, s.device
    FROM keys k
    LEFT JOIN active_sessions s
      ON s.key_id = k.id AND s.last_heartbeat > (SELECT session_cutoff(clock_timestamp()))
    WHERE true
      ${id === undefined ? sql`` : sql`AND k.id = ${id}`}
      ${hash === undefined ? sql`` : alias === undefined ? sql`AND k.key_hash = ${hash}` : sql`AND k.key_hash IN (${hash}, ${alias})`}
      ${
        // A range of the index: LIKE with a parameter is one only while the planner knows its value.
        prefix === undefined
          ? sql``
          : sql`AND k.key_prefix ~>=~ ${prefix} AND k.key_prefix ~<~ ${prefix + "\u{10ffff}"}`
      }
      ${
        label === undefined
          ? sql``
          : sql`AND k.id IN (SELECT w.key_id FROM key_words w WHERE w.words @@ label_query(${label}))`
      }
      ${state === "live" ? sql`AND s.key_id IS NOT NULL` : sql``}
      ${state === "revoked" ? sql`AND k.revoked_at IS NOT NULL` : sql``}
      ${state === "expired" ? sql`AND k.revoked_at IS NULL AND k.expires_at <= clock_timestamp()` : sql``}
      ${
        state === "active"
          ? sql`AND k.revoked_at IS NULL AND (k.expires_at > clock_timestamp() OR k.expires_at IS NULL)`
          : sql``
      }
      ${before === undefined ? sql`` : sql`AND k.id < ${before}`}
    ORDER BY k.id DESC LIMIT ${limit}`;
}
