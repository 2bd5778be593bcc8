/** How often sessions without proof are heard of, and which of them may be copied. */
import type { Database } from "../../database/database.ts";
import type { Sql } from "../../database/lane.ts";
import { liveSessions } from "./live-sql.ts";

export interface HeardRow {
  key_id: number;
  generation: number;
  /** When, in seconds by the database's clock. */
  heard: number;
}

/** The key from which on so many sessions are looked at: the first of all if there are no more, else any. */
export async function chooseRange(database: Database, most: number): Promise<number> {
  const [row] = await database.background.query(
    (sql) => sql<Array<{ first: number }>>`
      SELECT CASE WHEN (SELECT count(*) FROM (SELECT FROM active_sessions LIMIT ${most + 1}) first_ones) <= ${most} THEN 0
                  ELSE (SELECT floor(random() * max(key_id))::bigint FROM active_sessions) END AS first`,
  );
  return row?.first ?? 0;
}

/** At most so many live sessions without proof from that key on, and those that are suspected. */
export async function selectHeard(database: Database, from: number, most: number): Promise<HeardRow[]> {
  return database.background.query(
    (sql) => sql<HeardRow[]>`
      WITH looked AS (
        (SELECT s.key_id, s.generation, s.last_heartbeat FROM ${liveSessions(sql)} s
         WHERE s.key_id >= ${from} AND s.proof_instance IS NULL ORDER BY s.key_id LIMIT ${most})
        UNION
        (SELECT s.key_id, s.generation, s.last_heartbeat FROM suspected_copies c
         JOIN ${liveSessions(sql)} s ON s.key_id = c.key_id AND s.generation = c.generation
         WHERE s.proof_instance IS NULL LIMIT ${most})
      )
      SELECT key_id, generation, extract(epoch FROM last_heartbeat)::float AS heard FROM looked`,
  );
}

/** Notes who may be copied, and who may not any more. */
export async function keepSuspects(
  database: Database,
  judged: { suspects: Array<{ key_id: number; generation: number; times: number }>; cleared: number[] },
): Promise<void> {
  await database.background.query(
    (sql, waits) => sql`
      SELECT keep_suspects(caller_waits(${waits}, ${sql.json(judged.suspects)}::jsonb), ${sql.json(judged.cleared)}::jsonb)`,
  );
}

/** Of a session `s`: whether it may be copied. */
export const mayBeCopied = (sql: Sql) => sql`
  EXISTS (SELECT FROM suspected_copies c WHERE c.key_id = s.key_id AND c.generation = s.generation
          AND s.proof_instance IS NULL)`;
