/** What happened lately, for those who look on. */

import type { Database } from "../../database/database.ts";
import type { Device, EndingReason } from "./contract.ts";

export interface EndedRow {
  key_id: number;
  access_key: string;
  label: string | null;
  generation: number;
  at: Date;
  reason: EndingReason;
  device: Device | null;
  replaced_by_generation: number | null;
  replaced_by_device: Device | null;
}

/**
 * Endings of the last so many seconds, at most `limit`, the newest first. An expiry is dated by its deadline and written
 * down later, so whoever looks every second must look further back than that. What a clock dated that was ahead is no news.
 */
export async function selectEndedLately(database: Database, seconds: number, limit: number): Promise<EndedRow[]> {
  return database.operators.query(
    (sql) => sql<EndedRow[]>`
      SELECT h.key_id, h.access_key, k.label, h.generation, h.ended_at AS at, h.reason, h.device,
             h.replaced_by_generation, h.replaced_by_device
      FROM session_history h LEFT JOIN keys k ON k.id = h.key_id
      WHERE h.ended_at BETWEEN (SELECT clock_timestamp() - make_interval(secs => ${seconds})) AND (SELECT clock_timestamp())
      ORDER BY h.ended_at DESC LIMIT ${limit}`,
  );
}

export interface StartedRow {
  key_id: number;
  access_key: string;
  label: string | null;
  generation: number;
  at: Date;
  device: Device | null;
}

/** Sessions that began within that many seconds and still exist, at most `limit`, newest first. */
export async function selectStartedLately(database: Database, seconds: number, limit: number): Promise<StartedRow[]> {
  return database.operators.query(
    (sql) => sql<StartedRow[]>`
      SELECT s.key_id, s.access_key, k.label, s.generation, s.started_at AS at, s.device
      FROM (
        SELECT * FROM active_sessions
        WHERE started_at BETWEEN (SELECT clock_timestamp() - make_interval(secs => ${seconds})) AND (SELECT clock_timestamp())
        ORDER BY started_at DESC LIMIT ${limit}
      ) s JOIN keys k ON k.id = s.key_id`,
  );
}
