/** A match, its state and its events as they are on the wire: what is absent is left out. */
import type { CombatEvent, CombatSession, CombatState, Participant } from "./contract.ts";
import type { CombatRow, EventRow, ParticipantRow, StateRow } from "./sql.ts";

export function describeCombat(row: CombatRow): CombatSession {
  return {
    session_id: row.session_id,
    mode: row.mode,
    status: row.status,
    participants: (row.participants ?? []).map(describeParticipant),
    created_at: wire(row.created_at),
    started_at: row.started_at === null ? undefined : wire(row.started_at),
    ended_at: row.ended_at === null ? undefined : wire(row.ended_at),
    settings: row.settings ?? {},
    stats: {
      duration_seconds: Math.floor(row.duration_ms / 1000),
      total_actions: row.total_actions,
      total_damage: row.total_damage,
      eliminations: row.eliminations,
      winner: row.winner ?? undefined,
      performance_metrics: { actions_per_minute: perMinute(row.total_actions, row.duration_ms) },
    },
    version: row.version,
  };
}

export function describeState(row: StateRow): CombatState {
  return {
    session_id: row.session_id,
    phase: row.phase,
    time_remaining: row.time_remaining,
    participants: (row.participants ?? []).map(describeParticipant),
    events: (row.events ?? []).map(describeEvent),
  };
}

export function describeEvent({ sequence, type, at, data }: EventRow): CombatEvent {
  return { sequence, type, timestamp: wire(at), data };
}

function describeParticipant({ joined_at, ...participant }: ParticipantRow): Participant {
  return { ...participant, joined_at: wire(joined_at) };
}

/** In hundredths. */
const perMinute = (actions: number, ms: number) => (ms > 0 ? Math.round((actions * 6_000_000) / ms) / 100 : 0);

export const wire = (moment: string) => new Date(moment).toISOString();
