/** What is said of a match and its events. */
import type { CombatEvent, CombatSession } from "../../sessions/game/combat/contract.ts";

/** What the events carry that is told of. */
interface Happened {
  player_id?: string;
  action_type?: string;
  target_id?: string;
  damage_dealt?: number;
  health?: number;
  score?: number;
  eliminated?: boolean;
  status?: string;
  ended_reason?: string;
  winner?: string;
}

const SHOWN_ID_LENGTH = 8;

/** As a person tells players apart. */
export const shortId = (id: string): string => `${id.slice(0, SHOWN_ID_LENGTH)}…`;

/** Without when, as a line. */
export function describeEvent({ type, data }: CombatEvent): string {
  const told = data as Happened;
  const who = told.player_id === undefined ? "" : shortId(told.player_id);
  if (type === "action") return describeAction(told, who);
  if (type === "ended")
    return `${told.status} (${told.ended_reason})${told.winner ? `, won by ${shortId(told.winner)}` : ""}`;
  return who === "" ? type : `${who} has ${type}`;
}

function describeAction(told: Happened, who: string): string {
  const aim = told.target_id === undefined ? "" : ` at ${shortId(told.target_id)}`;
  const dealt = told.damage_dealt ? `, ${told.damage_dealt} damage` : "";
  const left = told.health === undefined ? "" : `, health ${told.health}`;
  return `${who} ${told.action_type}${aim}${dealt}${left}${told.eliminated ? ", eliminated" : ""}`;
}

/** "3 of 4 active", "12 actions", "130 damage". */
export function countsOf({ participants, stats }: CombatSession): string[] {
  const active = participants.filter(({ status }) => status === "active").length;
  return [
    `${active} of ${participants.length} active`,
    `${stats.total_actions} actions`,
    `${stats.total_damage} damage`,
    `${stats.eliminations} eliminated`,
  ];
}
