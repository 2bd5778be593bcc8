/** A session, and what belongs to it, as they are on the wire: what is absent is left out. */
import type { GameSession, LogEntry, SessionStats } from "./contract.ts";
import type { DetailsRow, EntryRow } from "./reading-sql.ts";
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

/** Of one entry more than asked for, the oldest says that there are earlier ones. */
export function describeEntries(
  rows: EntryRow[],
  limit: number,
): { logs: LogEntry[]; next_cursor: string | undefined } {
  const shown = rows.slice(-limit);
  return {
    logs: shown.map(({ at, event, message, data }) => ({
      timestamp: new Date(at).toISOString(),
      event_type: event,
      message: message ?? undefined,
      data: data ?? undefined,
    })),
    next_cursor: rows.length > limit ? String(shown[0]?.id) : undefined,
  };
}

export function describeStats(row: DetailsRow): SessionStats {
  return {
    duration_seconds: Math.floor((row.duration_ms ?? 0) / 1000),
    events_count: row.events ?? 0,
    errors_count: row.errors ?? 0,
    performance_metrics: { actions_per_minute: row.per_minute ?? 0 },
  };
}
