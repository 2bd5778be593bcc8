/** How a session, a match and who takes part stand, in words and colours. */
import { badge, el } from "../parts/element.ts";
import { showNumber } from "../parts/format.ts";
import type { Done } from "../parts/progress.ts";
import type { GameItem, MatchItem, Participant } from "./api.ts";

export const STATES: Record<MatchItem["status"], { words: string; kind: string }> = {
  initializing: { words: "in preparation", kind: "quiet" },
  active: { words: "active", kind: "busy" },
  paused: { words: "paused", kind: "takeover" },
  completed: { words: "completed", kind: "live" },
  terminated: { words: "terminated", kind: "revoked" },
};

/** Undefined: the status says all. */
const ENDINGS: Record<NonNullable<GameItem["ended_reason"]>, string | undefined> = {
  requested: undefined,
  silence: "nothing was heard of it",
  max_duration: "its time was over",
  decided: "it was decided",
  operator: "ended by an operator",
};

const PARTS: Record<Participant["status"], { words: string; kind: string }> = {
  active: { words: "active", kind: "busy" },
  eliminated: { words: "eliminated", kind: "revoked" },
  disconnected: { words: "disconnected", kind: "quiet" },
};

const HEALTH = 100;
const SHOWN_ID_LENGTH = 8;

export const stateBadge = (status: MatchItem["status"]) => badge(STATES[status]);

/** Why it ended, where that is not what its status says. */
export const showEnding = ({ ended_reason: reason }: GameItem) => (reason === undefined ? undefined : ENDINGS[reason]);

/** As a person tells sessions and players apart; the whole one is the tooltip. */
export const showId = (id: string) => el("span", { class: "mono", title: id }, shortId(id));
export const shortId = (id: string) => `${id.slice(0, SHOWN_ID_LENGTH)}…`;

export function partBadge({ player_id, status }: Participant, { stats }: MatchItem): HTMLElement {
  return badge(player_id === stats.winner ? { words: "winner", kind: "live" } : PARTS[status]);
}

/** What is left of what everybody began with. */
export function healthLeft({ health, score, status }: Participant, { settings }: MatchItem): Done {
  const full = (settings as { rules?: { health?: number | null } }).rules?.health ?? HEALTH;
  return {
    percent: Math.min(100, (100 * health) / full),
    text: `${showNumber(health)} health`,
    more: `score ${showNumber(score)}`,
    kind: PARTS[status].kind,
  };
}
