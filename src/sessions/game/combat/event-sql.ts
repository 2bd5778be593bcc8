/** What those who watch a match read. */
import type { Database } from "../../../database/database.ts";
import type { EventRow } from "./sql.ts";

/** The events of a match after one, and how it stands, of one moment. */
export interface TidingsRow {
  session_id: string;
  /** Null: none. */
  events: EventRow[] | null;
  over: boolean;
  /** Until something happens by itself; null: it has ended. */
  due_in_ms: number | null;
}

export async function selectTidings(
  database: Database,
  asked: Array<{ session_id: string; after: number }>,
  eventsMax: number,
): Promise<TidingsRow[]> {
  return database.requests.query(
    (sql) => sql<TidingsRow[]>`
      SELECT s.session_id, s.ended_at IS NOT NULL AS over, CASE WHEN s.ended_at IS NULL THEN
          extract(epoch FROM least(game_silent_until(s), game_deadline(s), CASE WHEN c.started_at IS NULL THEN combat_start(s, c) END)
                             - clock_timestamp())::float8 * 1000 END AS due_in_ms,
        (SELECT json_agg(json_build_object('sequence', e.sequence, 'type', e.event, 'at', e.at, 'data', combat_event_data(e, true))
                         ORDER BY e.sequence)
         FROM (SELECT e.* FROM game_events e WHERE e.session = s.number AND e.sequence > asked.after
               ORDER BY e.sequence LIMIT ${eventsMax}) e) AS events
      FROM jsonb_to_recordset(${sql.json(asked)}) AS asked (session_id uuid, after bigint)
      JOIN game_sessions s USING (session_id) JOIN game_combats c ON c.session = s.number`,
  );
}

/** Lets what has come by itself come: its beginning, or its end. It is no call for it. */
export async function settleCombatRow(database: Database, sessionId: string): Promise<void> {
  await database.requests.query(
    (sql, waits) => sql`SELECT FROM enter_game(caller_waits(${waits}, ${sessionId}::uuid))`,
    `game ${sessionId}`,
  );
}
