/** Folds the events of a match into its state, as `GET …/state` has it. Each state is a new object, for pages that compare. */
import type { CombatEvent, CombatState, Participant } from "../../sessions/game/combat/contract.ts";

/** As many as the service shows. */
const EVENTS_MAX = 50;

/** What happened, as far as a state says it. */
interface Happened {
  player_id?: string;
  target_id?: string;
  /** Won by who acted. */
  score?: number;
  /** Of who was hit, after it. */
  health?: number;
  eliminated?: boolean;
  time_remaining?: number;
}

/** `health`: of who joins. An event that is in it already changes nothing. */
export function foldEvent(state: CombatState, event: CombatEvent, health: number): CombatState {
  if (event.sequence <= lastOf(state)) return state;
  const happened = event.data as Happened;
  return {
    ...state,
    phase: phaseAfter(state, event),
    time_remaining: event.type === "ended" ? 0 : (happened.time_remaining ?? state.time_remaining),
    participants: foldParticipants(state.participants, event, happened, health),
    events: [...state.events, event].slice(-EVENTS_MAX),
  };
}

/** The sequence of the last event that is in it. */
export const lastOf = ({ events }: CombatState): number => events.at(-1)?.sequence ?? 0;

function phaseAfter({ phase }: CombatState, { type }: CombatEvent): CombatState["phase"] {
  if (type === "ended") return "finished";
  return type === "started" ? "active" : phase;
}

function foldParticipants(
  participants: Participant[],
  { type, timestamp }: CombatEvent,
  { player_id, target_id, score = 0, health: left, eliminated }: Happened,
  health: number,
): Participant[] {
  const isKnown = participants.some((one) => one.player_id === player_id);
  if (type === "joined" && player_id !== undefined && !isKnown) {
    return [...participants, { player_id, joined_at: timestamp, status: "active", score: 0, health }];
  }
  return participants.map((one) => {
    const changed = { ...one };
    if (one.player_id === player_id && type === "joined") changed.status = "active";
    if (one.player_id === player_id && type === "left") changed.status = "disconnected";
    if (one.player_id === player_id && type === "action") changed.score += score;
    if (one.player_id === target_id && left !== undefined) changed.health = left;
    if (one.player_id === target_id && eliminated) changed.status = "eliminated";
    return changed;
  });
}
