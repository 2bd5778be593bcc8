/**
 * Game sessions and matches for whoever plays, or serves those who play. No dependencies; runs in browsers, Node 18 and later,
 * Electron, Deno and Bun.
 *
 *   openGames ──► createMatch ──► act, act, act … ──► ended
 *                     └── follow: reset ──► events, folded ──► ended
 *
 * What it promises:
 * - An action happens once: it has its `action_id` before it is sent, and is sent with it until the service has answered,
 *   through restarts and outages; the answer is that of the first time. What makes something has a key for the same reason.
 * - A follower misses nothing: it begins with the whole state, and a cut stream goes on where it was.
 * - What it throws is a KeybeatError with the service's code; a failed request is none until time is up.
 */
export type {
  ActionRequest,
  ActionResult,
  CombatEvent,
  CombatSession,
  CombatState,
  Participant,
} from "../../sessions/game/combat/contract.ts";
export type { GameSession, SessionDetails } from "../../sessions/game/contract.ts";
export { type GameErrorCode, KeybeatError } from "../error.ts";
export type { FollowOptions } from "./follow.ts";
export { type CallOptions, type GameOptions, type Games, openGames } from "./games.ts";
