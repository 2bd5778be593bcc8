/** The rules by which a match is scored: what its settings say, and the defaults for the rest. */
import type { ActionType, CombatRules } from "./contract.ts";

/** As the match keeps them. Whatever becomes of its settings, these stay. */
export interface Rules {
  health: number;
  /** What is not in it does none. */
  damage: Partial<Record<ActionType, number>>;
  defend_factor: number;
  /** What is not in it scores the damage that it deals. */
  score: Partial<Record<ActionType, number>>;
  /** What is not in it may come at any time. */
  cooldown_ms: Partial<Record<ActionType, number>>;
}

const HEALTH = 100;
const DAMAGE = { attack: 10, ability: 20 };
const DEFEND_FACTOR = 0.5;

export function settleRules(sent: CombatRules | null | undefined): Rules {
  return {
    health: sent?.health ?? HEALTH,
    damage: { ...DAMAGE, ...present(sent?.damage) },
    defend_factor: sent?.defend_factor ?? DEFEND_FACTOR,
    score: present(sent?.score),
    cooldown_ms: present(sent?.cooldown_ms),
  };
}

type Numbers = Partial<Record<ActionType, number | null | undefined>>;

/** A null is a client's word for what it leaves out. */
const present = (numbers: Numbers | null | undefined) =>
  Object.fromEntries(Object.entries(numbers ?? {}).filter(([, number]) => number !== null)) as Record<string, number>;
