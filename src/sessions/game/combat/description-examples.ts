/** What the OpenAPI document shows of matches. */
import { PLAYER } from "../description-examples.ts";

export const OPPONENT = "0d9b7c1a-52e4-4a6b-9c8f-e1f2a3b4c5d6";
export const SESSION_ID = "b2e8f1d4-7c3a-4f59-8e6d-1a0b9c8d7e6f";
const ACTION_ID = "c4f0a9e2-6b1d-4d38-a75e-9f8e7d6c5b4a";

export const create = {
  mode: "pvp",
  participants: [PLAYER, OPPONENT],
  settings: { max_duration: 600, rules: { health: 100, damage: { attack: 10 }, cooldown_ms: { ability: 5000 } } },
};
export const lobby = {
  mode: "arena",
  participants: [PLAYER],
  settings: { rules: { open: true, max_participants: 8, preparation_seconds: 30 } },
};

const CREATED_AT = "2026-03-02T09:00:00.000Z";
const unhurt = { joined_at: CREATED_AT, status: "active", score: 0, health: 100 };
const numbers = { total_actions: 0, total_damage: 0, eliminations: 0 };

export const active = {
  session_id: SESSION_ID,
  mode: "pvp",
  status: "active",
  participants: [
    { player_id: PLAYER, ...unhurt },
    { player_id: OPPONENT, ...unhurt },
  ],
  created_at: CREATED_AT,
  started_at: CREATED_AT,
  settings: create.settings,
  stats: { duration_seconds: 0, ...numbers, performance_metrics: { actions_per_minute: 0 } },
  version: 1,
};

export const prepared = {
  session_id: "5f3d8a71-0c9e-4b26-8d14-6e7f8a9b0c1d",
  mode: "arena",
  status: "initializing",
  participants: [{ player_id: PLAYER, ...unhurt }],
  created_at: CREATED_AT,
  settings: lobby.settings,
  stats: { duration_seconds: 0, ...numbers, performance_metrics: { actions_per_minute: 0 } },
  version: 1,
};

export const joined = {
  ...prepared,
  participants: [...prepared.participants, { player_id: OPPONENT, ...unhurt, joined_at: "2026-03-02T09:00:12.000Z" }],
  stats: { ...prepared.stats, duration_seconds: 12 },
  version: 2,
};

export const left = {
  ...joined,
  participants: joined.participants.map((one) =>
    one.player_id === OPPONENT ? { ...one, status: "disconnected" } : one,
  ),
  stats: { ...prepared.stats, duration_seconds: 15 },
  version: 3,
};

export const finished = {
  ...active,
  status: "completed",
  participants: [
    { player_id: PLAYER, ...unhurt, score: 100, health: 40 },
    { player_id: OPPONENT, ...unhurt, status: "eliminated", score: 60, health: 0 },
  ],
  ended_at: "2026-03-02T09:04:10.000Z",
  stats: {
    duration_seconds: 250,
    total_actions: 18,
    total_damage: 160,
    eliminations: 1,
    winner: PLAYER,
    performance_metrics: { actions_per_minute: 4.32 },
  },
  version: 2,
};

export const attack = {
  action_type: "attack",
  player_id: PLAYER,
  target_id: OPPONENT,
  action_id: ACTION_ID,
  parameters: { weapon: "sword" },
};
export const reckoned = {
  action_type: "ability",
  player_id: PLAYER,
  target_id: OPPONENT,
  damage: 35,
  effects: [{ type: "burn", value: 5, duration: 3 }],
  score: 50,
};

export const attacked = {
  sequence: 1,
  type: "action",
  timestamp: "2026-03-02T09:00:04.250Z",
  data: {
    player_id: PLAYER,
    action_type: "attack",
    target_id: OPPONENT,
    action_id: ACTION_ID,
    damage_dealt: 10,
    score: 10,
    health: 90,
    time_remaining: 596,
    parameters: { weapon: "sword" },
  },
};

export const state = {
  session_id: SESSION_ID,
  phase: "active",
  time_remaining: 596,
  participants: [
    { player_id: PLAYER, ...unhurt, score: 10 },
    { player_id: OPPONENT, ...unhurt, health: 90 },
  ],
  events: [attacked],
};

export const result = {
  action_id: ACTION_ID,
  success: true,
  sequence: 1,
  damage_dealt: 10,
  effects: [],
  new_state: state,
  timestamp: attacked.timestamp,
};
