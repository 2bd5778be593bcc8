/** What the OpenAPI document shows of game sessions. */
import { z } from "zod";

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

export const paused = { ...active, status: "paused", version: 2, updated_at: "2026-03-02T09:05:00.000Z" };

export const logs = {
  logs: [
    { timestamp: "2026-03-02T09:00:00.000Z", event_type: "created" },
    { timestamp: "2026-03-02T09:05:00.000Z", event_type: "paused", data: { replaced: ["metadata"] } },
  ],
};

export const detailed = {
  ...paused,
  ...logs,
  stats: {
    duration_seconds: 300,
    events_count: 2,
    errors_count: 0,
    performance_metrics: { actions_per_minute: 0 },
  },
};

export const aboutLogs = {
  limit: { description: "How many at most.", schema: z.int().min(1).max(1_000).default(100) },
  cursor: { description: "`next_cursor` of the page before, or `logs_cursor` of the session: entries before those." },
};

export const page = {
  sessions: [active, ended],
  total_count: 41,
  total_count_is_exact: true,
  has_more: true,
  next_cursor: "17",
};

export const pause = { status: "paused", metadata: { region: "eu" } };

const process = { timestamp: "2026-03-02T09:00:00.000Z", version: "0.1.0", uptime_seconds: 3600 };
export const healthy = { status: "healthy", ...process };
export const unhealthy = { status: "unhealthy", ...process };
