/** Keys as operators see them, with the session that holds each. */
import type { Database } from "../../database/database.ts";
import type { Sql } from "../../database/lane.ts";
import { andOfKey, type KeyFilter } from "../../keys/filter-sql.ts";
import type { Device } from "../../sessions/device/contract.ts";
import { mayBeCopied } from "../../sessions/device/copy-watch-sql.ts";
import { liveLeases, liveSessions } from "../../sessions/device/live-sql.ts";

export interface HeldKeyFilter extends KeyFilter {
  id?: number | undefined;
  state?: "active" | "live" | "offline" | "revoked" | "expired" | undefined;
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
  /** Masked; null: nobody is live, and so are the next five. */
  session_id: string | null;
  started_at: Date | null;
  last_heartbeat: Date | null;
  device: Device | null;
  with_proof: boolean | null;
  may_be_copied: boolean | null;
  /** Until when a lease holds it. */
  leased_until: Date | null;
}

/** Highest id first. */
export async function selectKeysWithHolder(database: Database, filter: HeldKeyFilter): Promise<KeyWithHolderRow[]> {
  return database.operators.query((sql) => keysWithHolder(sql, filter));
}

export function keysWithHolder(sql: Sql, filter: HeldKeyFilter) {
  const { id, state, before, limit } = filter;
  return sql<KeyWithHolderRow[]>`
    SELECT k.id, k.key_prefix || '…' AS access_key, k.label, k.created_at, k.expires_at, k.revoked_at, k.last_used_at,
           k.generation, mask_session_id(s.session_id) AS session_id, s.started_at, s.last_heartbeat, s.device,
           s.proof_instance IS NOT NULL AS with_proof, ${mayBeCopied(sql)} AS may_be_copied, l.until AS leased_until
    FROM keys k
    LEFT JOIN ${liveSessions(sql)} s ON s.key_id = k.id
    LEFT JOIN ${liveLeases(sql)} l ON l.key_id = k.id
    WHERE true ${andOfKey(sql, filter)}
      ${id === undefined ? sql`` : sql`AND k.id = ${id}`}
      ${state === "live" ? sql`AND s.key_id IS NOT NULL` : sql``}
      ${state === "offline" ? sql`AND l.key_id IS NOT NULL AND s.key_id IS NULL` : sql``}
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
