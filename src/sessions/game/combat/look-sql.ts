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

/** The newest before that one, in their order. */
export async function selectEvents(
  database: Database,
  sessionId: string,
  { before = Number.MAX_SAFE_INTEGER, limit }: { before: number | undefined; limit: number },
): Promise<EventRow[]> {
  return database.requests.query(
    (sql) => sql<EventRow[]>`
      SELECT e.sequence, e.type, e.at, e.data FROM (
        SELECT e.sequence, e.event AS type, to_json(e.at) #>> '{}' AS at, combat_event_data(e, false) AS data
        FROM game_events e JOIN game_sessions s ON s.number = e.session
        WHERE s.session_id = ${sessionId} AND e.sequence < ${before} ORDER BY e.sequence DESC LIMIT ${limit}) e
      ORDER BY e.sequence`,
  );
}
