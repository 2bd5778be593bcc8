/** What a player's program knows of a match that has heard its events from the first on, and with whom and how it began. */
import type { Told } from "../../../../support/follow.ts";

export interface Folded {
  phase: string;
  winner: string | null;
  /** By player, in the order of joining. */
  participants: Record<string, { status: string; health: number; score: number }>;
  numbers: [actions: number, damage: number, eliminations: number];
}

export function fold(
  told: readonly Told[],
  began: { founders: string[]; health: number; isPrepared: boolean },
): Folded {
  const unhurt = () => ({ status: "active", health: began.health, score: 0 });
  const match: Folded = {
    phase: began.isPrepared ? "preparation" : "active",
    winner: null,
    participants: Object.fromEntries(began.founders.map((player) => [player, unhurt()])),
    numbers: [0, 0, 0],
  };
  for (const {
    event,
    data: { data },
  } of told) {
    const one = match.participants[data.player_id];
    if (event === "started") match.phase = "active";
    if (event === "joined") match.participants[data.player_id] = { ...(one ?? unhurt()), status: "active" };
    if (event === "left" && one) one.status = "disconnected";
    if (event === "ended") Object.assign(match, { phase: "finished", winner: data.winner ?? null });
    if (event !== "action" || !one) continue;
    one.score += data.score;
    const target = match.participants[data.target_id];
    if (target && data.health !== undefined) target.health = data.health;
    if (target && data.eliminated) target.status = "eliminated";
    const [actions, damage, eliminations] = match.numbers;
    match.numbers = [actions + 1, damage + data.damage_dealt, eliminations + (data.eliminated ? 1 : 0)];
  }
  return match;
}
