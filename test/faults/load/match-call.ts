/** The recorded calls of those who play in matches, as each saw them; compare call.ts for devices. */
import { createHash } from "node:crypto";
import type { ActionType } from "../../../src/sessions/game/combat/contract.ts";
import type { GameStatus } from "../../../src/sessions/game/contract.ts";
import { inSeconds, playerToken } from "../../support/player-token.ts";
import type { Answer } from "./call.ts";

/** How PUT changes a match. */
const MOVES = { pause: "paused", resume: "active", complete: "completed" } as const;

export type MatchOperation =
  | keyof typeof MOVES
  | "create"
  | "join"
  | "leave"
  | "act"
  | "terminate"
  | "read"
  | "state"
  | "events";

/** What a call is about, before it is sent. */
export interface AskedOfMatch {
  operation: MatchOperation;
  /** What the match is called; no other has that name. */
  match: string;
  server: number;
  /** Whose token is shown: a player's, or SERVICE. */
  by: string;
  /** Of all but a create. */
  sessionId?: string;
  /** Who begins it, comes or goes. */
  players?: string[];
  /** Of a create. */
  preparationSeconds?: number;
  action?: MatchAction;
  /** Of a move: that which it must have. */
  version?: number;
  /** Of the events: the last one that is known. */
  after?: number;
}

export interface MatchAction {
  id: string;
  player: string;
  type: ActionType;
  target?: string;
  /** By a service, which is believed. */
  damage?: number;
}

/** Times are milliseconds on performance.now() of the process that called. */
export interface MatchCall extends AskedOfMatch {
  sentAt: number;
  answeredAt: number;
  /** Of the HTTP answer; 0: there was none. */
  status: number;
  answer: MatchAnswer;
}

export type MatchAnswer =
  | Extract<Answer, { is: "unknown" | "unexpected" }>
  | ({ is: "made"; sessionId: string } & MatchView)
  | ({ is: "shown" } & MatchView)
  /** `digest`: of the whole answer. */
  | ({ is: "happened"; sequence: number; digest: string } & MatchView)
  /** With the ending, where that is why. */
  | { is: "refused"; code: string; state?: GameStatus; reason?: string }
  | { is: "told"; events: ToldEvent[] };

/** What an answer shows of a match; what it does not show is absent. */
export interface MatchView {
  state?: GameStatus;
  reason?: string;
  version?: number;
  /** `player status health score`, in the order of joining. */
  standings?: string[];
  /** Actions, damage, eliminations. */
  numbers?: number[];
  winner?: string | null;
  over?: boolean;
  /** The sequence of the last event. */
  last?: number;
}

export interface ToldEvent {
  id: number;
  event: string;
  // biome-ignore lint/suspicious/noExplicitAny: what an event says depends on what it is
  data: { data: any };
}

export const SERVICE = "service";
export const PLACES = 5;
export const HEALTH = 40;
/** Of `item_use`. */
const COOLDOWN_MS = 1_500;
/** The clocks of the servers may jump by hours. */
const TOKEN_SECONDS = 30 * 86_400;

const tokenOf = (by: string): string =>
  by === SERVICE
    ? playerToken("a-backend", { role: "service", exp: inSeconds(TOKEN_SECONDS) })
    : playerToken(by, { exp: inSeconds(TOKEN_SECONDS) });

export function writeMatchRequest(asked: AskedOfMatch) {
  const { operation, match, by, sessionId, players, preparationSeconds, action, version, after } = asked;
  const headers = { Authorization: `Bearer ${tokenOf(by)}` };
  const combat = `/combat/sessions/${sessionId}`;
  switch (operation) {
    case "create": {
      const rules = { open: true, health: HEALTH, max_participants: PLACES, cooldown_ms: { item_use: COOLDOWN_MS } };
      const settings = { name: match, rules: { ...rules, preparation_seconds: preparationSeconds } };
      return {
        method: "POST",
        path: "/combat/sessions",
        body: { mode: "pvp", participants: players, settings },
        headers: { ...headers, "Idempotency-Key": match },
      };
    }
    case "act": {
      const { id, player, type, target, damage } = action as MatchAction;
      const body = { action_id: id, player_id: player, action_type: type, target_id: target, damage };
      return { method: "POST", path: `${combat}/actions`, body, headers };
    }
    case "join":
    case "leave":
      return { method: "POST", path: `${combat}/${operation}`, body: { player_ids: players }, headers };
    case "terminate":
      return { method: "DELETE", path: `/sessions/${sessionId}`, body: undefined, headers };
    case "read":
      return { method: "GET", path: combat, body: undefined, headers };
    case "state":
      return { method: "GET", path: `${combat}/state`, body: undefined, headers };
    case "events":
      return {
        method: "GET",
        path: `${combat}/events`,
        body: undefined,
        headers: { ...headers, "Last-Event-ID": String(after) },
      };
    default:
      return { method: "PUT", path: `/sessions/${sessionId}`, body: { status: MOVES[operation], version }, headers };
  }
}

/** What each may be refused with; by nothing else, and the others not at all. */
const REFUSALS: Partial<Record<MatchOperation, string[]>> = {
  join: ["full", "not_active", "session_over"],
  leave: ["not_participant", "session_over"],
  act: ["not_participant", "not_active", "cooldown", "paused", "session_over", "unknown_target"],
  pause: ["session_over", "version_conflict"],
  resume: ["session_over", "version_conflict"],
  complete: ["session_over", "version_conflict"],
};

/** The answer in the fewest words that the checker needs; `body` is whatever the server sent. */
// biome-ignore lint/suspicious/noExplicitAny: a body of unknown shape is what this function is for
export function readMatchAnswer(operation: MatchOperation, status: number, body: any): MatchAnswer {
  if (status === 503) return { is: "unknown", why: "503" };
  const { code, status: state, ended_reason: reason } = body?.details ?? {};
  if (status >= 400 && status < 500 && REFUSALS[operation]?.includes(code)) {
    return { is: "refused", code, ...(state && { state, reason }) };
  }
  if (operation === "create" && status === 201) return { is: "made", sessionId: body.session_id, ...readCombat(body) };
  if (operation === "events" && (status === 200 || status === 204)) return { is: "told", events: body.events };
  if (status === 200 && operation === "act") {
    const digest = createHash("sha256").update(JSON.stringify(body)).digest("hex").slice(0, 16);
    return { is: "happened", sequence: body.sequence, digest, ...readState(body.new_state) };
  }
  if (status === 200 && operation === "state") return { is: "shown", ...readState(body) };
  if (status === 200 && ["read", "join", "leave"].includes(operation)) return { is: "shown", ...readCombat(body) };
  if (status === 200 && (operation in MOVES || operation === "terminate")) {
    return { is: "shown", state: body.status, reason: body.ended_reason, version: body.version };
  }
  return { is: "unexpected", what: `${status} ${JSON.stringify(body)?.slice(0, 200)}` };
}

// biome-ignore lint/suspicious/noExplicitAny: as above
const readStandings = (participants: any[]): string[] =>
  participants.map(({ player_id, status, health, score }) => `${player_id} ${status} ${health} ${score}`);

// biome-ignore lint/suspicious/noExplicitAny: as above
export const readCombat = (body: any): MatchView => ({
  state: body.status === "initializing" ? "active" : body.status,
  version: body.version,
  standings: readStandings(body.participants),
  numbers: [body.stats.total_actions, body.stats.total_damage, body.stats.eliminations],
  winner: body.stats.winner ?? null,
});

// biome-ignore lint/suspicious/noExplicitAny: as above
const readState = (body: any): MatchView => ({
  standings: readStandings(body.participants),
  over: body.phase === "finished",
  last: body.events.at(-1)?.sequence ?? 0,
});
