/** Sessions as operators see them: the live ones, and what became of a key's. Session ids are masked unless it says so. */

import type { Database } from "../../database/database.ts";
import type { Sql } from "../../database/lane.ts";
import { andOfKey, type KeyFilter } from "../../keys/filter-sql.ts";
import type { Device, EndingReason } from "./contract.ts";

import { mayBeCopied } from "./copy-watch-sql.ts";
import { liveLeases, liveSessions } from "./live-sql.ts";

export interface SessionFilter extends KeyFilter {
  device?: string | undefined;
  silentSecondsMin?: number | undefined;
  /** Only keys with a higher id. */
  after?: number | undefined;
  limit: number;
}

export interface SessionRow {
  key_id: number;
  access_key: string;
  label: string | null;
  session_id: string;
  generation: number;
  started_at: Date;
  last_heartbeat: Date;
  expires_at: Date;
  device: Device | null;
  /** Heard of about twice as often as asked, without proof. */
  may_be_copied: boolean;
}

/** The live sessions in the order of their keys' ids, which no heartbeat changes. */
export async function selectSessions(database: Database, filter: SessionFilter): Promise<SessionRow[]> {
  return database.operators.query((sql) => sessionsWithKey(sql, filter));
}

/**
 * What a key is searched by has an index on the keys, and the primary key leads on to its session. By device or silence
 * the sessions are read in the order of their keys until the page is full: an index on either would cost every start
 * or heartbeat.
 */
export function sessionsWithKey(sql: Sql, filter: SessionFilter) {
  const { device, silentSecondsMin, after, limit } = filter;
  return sql<SessionRow[]>`
    SELECT s.key_id, s.access_key, k.label, mask_session_id(s.session_id) AS session_id, s.generation, s.started_at,
           s.last_heartbeat, session_deadline(s.last_heartbeat) AS expires_at, s.device,
           ${mayBeCopied(sql)} AS may_be_copied
    FROM ${liveSessions(sql)} s JOIN keys k ON k.id = s.key_id
    WHERE true ${andOfKey(sql, filter)}
      ${
        device === undefined
          ? sql``
          : sql`AND strpos(lower(concat_ws(' ', s.device->>'name', s.device->>'platform', s.device->>'app_version')),
                           lower(${device})) > 0`
      }
      ${
        silentSecondsMin === undefined
          ? sql``
          : sql`AND s.last_heartbeat <= (SELECT clock_timestamp()) - make_interval(secs => ${silentSecondsMin})`
      }
      ${after === undefined ? sql`` : sql`AND s.key_id > ${after}`}
    ORDER BY s.key_id LIMIT ${limit}`;
}

export interface LiveSessionRow {
  key_id: number;
  access_key: string;
  /** Masked. */
  session_id: string;
  generation: number;
  started_at: Date;
  last_heartbeat: Date;
  seconds_since_heartbeat: number;
  device: Device | null;
  /** Heard of about twice as often as asked, without proof. */
  may_be_copied: boolean;
}

/** The live sessions in the order of their keys' ids; `after` excluded. */
export async function selectLiveSessions(
  database: Database,
  page: { after: number; limit: number },
): Promise<LiveSessionRow[]> {
  return database.background.query(
    (sql) => sql<LiveSessionRow[]>`
      SELECT key_id, access_key, mask_session_id(session_id) AS session_id, generation, started_at, last_heartbeat,
             extract(epoch FROM clock_timestamp() - last_heartbeat)::float AS seconds_since_heartbeat, device,
             ${mayBeCopied(sql)} AS may_be_copied
      FROM ${liveSessions(sql)} s WHERE key_id > ${page.after}
      ORDER BY key_id LIMIT ${page.limit}`,
  );
}

export interface FoundSessionRow {
  key_id: number;
  access_key: string;
  /** Whole: it stays inside the process. */
  session_id: string;
  generation: number;
  started_at: Date;
  device: Device | null;
}

/** At most `limit` live sessions whose id begins so, and such whose lease still holds. */
export async function selectMeantSessions(
  database: Database,
  prefix: string,
  limit: number,
): Promise<FoundSessionRow[]> {
  return database.background.query(
    (sql) => sql<FoundSessionRow[]>`
      SELECT key_id, access_key, session_id, generation, started_at, device FROM ${liveSessions(sql)} s
      WHERE starts_with(session_id, ${prefix})
      UNION ALL
      SELECT l.key_id, k.key_prefix || '…', l.session_id, l.generation, l.issued_at, l.device
      FROM ${liveLeases(sql)} l JOIN keys k ON k.id = l.key_id
      WHERE starts_with(l.session_id, ${prefix})
        AND NOT EXISTS (SELECT FROM ${liveSessions(sql)} s WHERE s.session_id = l.session_id)
      ORDER BY key_id LIMIT ${limit}`,
  );
}

export interface HistoryRow {
  generation: number;
  session_id: string;
  started_at: Date;
  last_heartbeat: Date;
  ended_at: Date | null;
  reason: EndingReason | null;
  note: string | null;
  device: Device | null;
  replaced_by_generation: number | null;
  replaced_by_device: Device | null;
}

/**
 * A key's sessions, the newest first, which is the live one if there is one; one that fell silent has expired, whether
 * or not the cleanup has come by. `before`: only lower generations.
 */
export async function selectHistory(
  database: Database,
  page: { keyId: number; before: number | undefined; limit: number },
): Promise<HistoryRow[]> {
  const before = page.before ?? Number.MAX_SAFE_INTEGER;
  return database.operators.query(
    (sql) => sql<HistoryRow[]>`
      SELECT generation, mask_session_id(session_id) AS session_id, started_at, last_heartbeat, ended_at, reason, note,
             device, replaced_by_generation, replaced_by_device
      FROM (
        SELECT s.generation, s.session_id, s.started_at, s.last_heartbeat,
               CASE WHEN NOT live.yes THEN session_deadline(s.last_heartbeat) END AS ended_at,
               CASE WHEN NOT live.yes THEN 'expired' END AS reason,
               NULL AS note, s.device, NULL::bigint AS replaced_by_generation, NULL::jsonb AS replaced_by_device
        FROM active_sessions s, LATERAL (SELECT s.last_heartbeat > session_cutoff(clock_timestamp()) AS yes) live
        WHERE s.key_id = ${page.keyId} AND s.generation < ${before}
        UNION ALL
        (SELECT h.generation, h.session_id, h.started_at, h.last_heartbeat, h.ended_at, h.reason, h.note, h.device,
                h.replaced_by_generation, h.replaced_by_device
         FROM session_history h
         WHERE h.key_id = ${page.keyId} AND h.generation < ${before}
         ORDER BY h.generation DESC LIMIT ${page.limit})
      ) all_of_them
      ORDER BY generation DESC LIMIT ${page.limit}`,
  );
}
