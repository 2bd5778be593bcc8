/** What an operator reads of a match. */
import type { Database } from "../../../database/database.ts";
import type { CombatRow, EventRow } from "./sql.ts";

/** Undefined: there is no such session, or it has no match. */
export async function selectLookedAt(database: Database, sessionId: string): Promise<CombatRow | undefined> {
  const [row] = await database.requests.query(
    (sql, waits) => sql`
      SELECT view_combat(g, clock_timestamp()) AS read FROM look_at_game(caller_waits(${waits}, ${sessionId}::uuid)) g`,
  );
  return row?.read ?? undefined;
}

/** The newest before that one, in their order. Undefined: there is no such session, or it has no match. */
export async function selectEvents(
  database: Database,
  sessionId: string,
  { before = Number.MAX_SAFE_INTEGER, limit }: { before: number | undefined; limit: number },
): Promise<EventRow[] | undefined> {
  const [row] = await database.requests.query(
    (sql) => sql`
      SELECT coalesce((
        SELECT json_agg(json_build_object('sequence', e.sequence, 'type', e.event, 'at', e.at, 'data', combat_event_data(e, false))
                        ORDER BY e.sequence)
        FROM (SELECT e.* FROM game_events e WHERE e.session = c.session AND e.sequence < ${before}
              ORDER BY e.sequence DESC LIMIT ${limit}) e), '[]') AS events
      FROM game_sessions s JOIN game_combats c ON c.session = s.number WHERE s.session_id = ${sessionId}`,
  );
  return row?.events;
}
