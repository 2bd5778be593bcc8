/** What the OpenAPI document shows of game sessions. */
export const PLAYER = "6f1c2b9e-8a54-4f0e-9b0d-3c2a7d1e5f60";

export const create = { type: "player", player_id: PLAYER, metadata: { region: "eu" }, settings: { hud: false } };

export const active = {
  session_id: "4c7d9a52-1f6b-4e0a-8d35-7b1e2f3a9c04",
  type: "player",
  player_id: PLAYER,
  status: "active",
  version: 1,
  created_at: "2026-03-02T09:00:00.000Z",
  updated_at: "2026-03-02T09:00:00.000Z",
  metadata: { region: "eu" },
  settings: { hud: false },
};

export const ended = {
  session_id: "91f0d3c8-6a2e-4b7f-a1c5-0e4d8b7f2a13",
  type: "combat",
  player_id: PLAYER,
  status: "terminated",
  version: 4,
  created_at: "2026-03-01T09:00:00.000Z",
  updated_at: "2026-03-02T09:12:30.000Z",
  ended_at: "2026-03-02T09:12:30.000Z",
  ended_reason: "silence",
};

const process = { timestamp: "2026-03-02T09:00:00.000Z", version: "0.1.0", uptime_seconds: 3600 };
export const healthy = { status: "healthy", ...process };
export const unhealthy = { status: "unhealthy", ...process };
