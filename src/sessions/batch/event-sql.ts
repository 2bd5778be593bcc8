/** What those who watch a run read. */
import type { Database } from "../../database/database.ts";
import type { BatchRow } from "./sql.ts";

/** The events of a run after one, and how it stands, of one moment. */
export interface TidingsRow extends BatchRow {
  /** Null: none. */
  events: Array<{ id: number; event: string; at: string; data: Record<string, unknown> }> | null;
  /** Until its time is over; null: it has ended. */
  due_in_ms: number | null;
}

export async function selectTidings(
  database: Database,
  asked: Array<{ session_id: string; after: number }>,
  eventsMax: number,
): Promise<TidingsRow[]> {
  return database.requests.query(
    (sql) => sql<TidingsRow[]>`
      SELECT b.*, CASE WHEN b.completed_at IS NULL THEN
          extract(epoch FROM least(b.silent_until, b.deadline_at) - clock_timestamp())::float8 * 1000 END AS due_in_ms,
        (SELECT json_agg(json_build_object('id', e.id, 'event', e.event, 'at', e.at, 'data', e.data) ORDER BY e.id)
         FROM (SELECT e.* FROM batch_events e WHERE e.run = s.run AND e.id > asked.after ORDER BY e.id LIMIT ${eventsMax}) e) AS events
      FROM jsonb_to_recordset(${sql.json(asked)}) AS asked (session_id uuid, after bigint)
      JOIN batch_sessions s USING (session_id), view_batch(s) b`,
  );
}

/** The oldest event of a run that is kept; the next one where there is none. */
export async function selectFirstEvent(database: Database, number: number): Promise<number> {
  const [row] = await database.requests.query(
    (sql) => sql`
      SELECT coalesce((SELECT min(e.id) FROM batch_events e WHERE e.run = s.run), s.last_event + 1) AS first
      FROM batch_sessions s WHERE s.run = ${number}`,
  );
  return row?.first ?? 1;
}
