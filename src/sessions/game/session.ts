/** A session as it is on the wire: what is absent is left out. */
import type { GameSession } from "./contract.ts";
import type { GameRow } from "./sql.ts";

export function describeSession(row: GameRow): GameSession {
  return {
    session_id: row.session_id,
    type: row.type,
    player_id: row.player_id,
    status: row.status,
    version: row.version,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
    ended_at: row.ended_at?.toISOString(),
    ended_reason: row.ended_reason ?? undefined,
    metadata: row.metadata ?? undefined,
    settings: row.settings ?? undefined,
  };
}
