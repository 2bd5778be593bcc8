/**
 * The wire contract of game sessions: requests and responses as zod schemas. What is absent in an answer is left out, and
 * never null. Matches have theirs in combat/contract.ts.
 */
import { z } from "zod";
import { described, jsonObject, moment, numberCursor, pageLimit } from "../contract.ts";
import { GAME_ENDED_REASONS, GAME_STATUSES, GAME_TYPES } from "./states.ts";

/** Of any request. */
export const GAME_BYTES_MAX = 64 * 1024;
/** Of `metadata`, and of `settings`. */
export const OBJECT_BYTES_MAX = 16 * 1024;
/** How many log entries a session shows; the others are to be read page by page. */
export const SHOWN_ENTRIES_MAX = 100;
/** Beyond that a list does not count. */
export const COUNTED_MAX = 10_000;

export const gameType = z.enum(GAME_TYPES);
export const gameStatus = z.enum(GAME_STATUSES);

/** A player, in a request: in either case. */
export const playerId = z.guid().overwrite((id) => id.toLowerCase());

const clientObject = jsonObject(OBJECT_BYTES_MAX).optional();
/** In a query. */
const flag = z.enum(["true", "false"]).default("false");
const count = z.int().min(0).max(2_147_483_647);

export const createRequest = z.object({
  type: gameType,
  player_id: playerId,
  metadata: clientObject,
  settings: clientObject,
});

/** Replaces each field that is given. */
export const updateRequest = z.object({
  status: gameStatus.optional(),
  metadata: clientObject,
  settings: clientObject,
  /** That which it had when it was read; another one is refused. */
  version: z.int().min(1).max(2_147_483_647).optional(),
});

export const terminateRequest = z.object({
  /** Kept in the log. */
  reason: described(1_000).optional(),
  /** Changes nothing: nothing is left behind either way. */
  force: z.boolean().default(false),
});

export const sessionQuery = z.object({ include_logs: flag, include_stats: flag });

export const listQuery = z.object({
  type: gameType.optional(),
  status: gameStatus.optional(),
  player_id: playerId.optional(),
  limit: pageLimit(20, 100),
  cursor: numberCursor.optional(),
});

export const logsQuery = z.object({ limit: pageLimit(100, 1_000), cursor: numberCursor.optional() });

export const gameSession = z.object({
  session_id: z.guid(),
  type: gameType,
  /** Who made it. */
  player_id: z.guid(),
  status: gameStatus,
  /** Rises with every change but actions; the ETag too. */
  version: z.int().min(1).max(2_147_483_647),
  created_at: moment,
  updated_at: moment,
  /** Absent until it is over, as is the reason. */
  ended_at: moment.optional(),
  ended_reason: z.enum(GAME_ENDED_REASONS).optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
  settings: z.record(z.string(), z.unknown()).optional(),
});

export const logEntry = z.object({
  timestamp: moment,
  event_type: z.string(),
  message: z.string().optional(),
  data: z.record(z.string(), z.unknown()).optional(),
});

export const sessionStats = z.object({
  /** Without the time that it was paused. */
  duration_seconds: count,
  events_count: count,
  errors_count: count,
  performance_metrics: z.object({ actions_per_minute: z.number().min(0) }),
});

export const sessionDetails = gameSession.extend({
  /** With `include_logs`: the newest, in their order. */
  logs: z.array(logEntry).max(SHOWN_ENTRIES_MAX).optional(),
  /** Of `GET …/logs`, for those before; absent: there are none. */
  logs_cursor: z.string().optional(),
  /** With `include_stats`. */
  stats: sessionStats.optional(),
});

/** How many a list has beyond this page. */
export const listCounts = z.object({
  total_count: count,
  /** False: there are more than that. */
  total_count_is_exact: z.boolean(),
  has_more: z.boolean(),
  /** Absent on the last page. */
  next_cursor: z.string().optional(),
});

export const sessionsReply = listCounts.extend({ sessions: z.array(gameSession) });
export const logsReply = z.object({ logs: z.array(logEntry), next_cursor: z.string().optional() });

/** With a call that comes after the end. */
export const gameEnding = z.object({
  status: z.enum(["completed", "terminated"]),
  ended_reason: z.enum(GAME_ENDED_REASONS),
  ended_at: moment,
});

const health = {
  timestamp: moment,
  version: z.string().max(50),
  /** Of the process that answers. */
  uptime_seconds: count,
};
/** Degraded: the database answers slowly. */
export const healthReply = z.object({ status: z.enum(["healthy", "degraded"]), ...health });
export const unhealthyReply = z.object({ status: z.literal("unhealthy"), ...health });

export type GameType = z.infer<typeof gameType>;
export type GameStatus = z.infer<typeof gameStatus>;
export type CreateRequest = z.infer<typeof createRequest>;
export type UpdateRequest = z.infer<typeof updateRequest>;
export type TerminateRequest = z.infer<typeof terminateRequest>;
export type ListQuery = z.infer<typeof listQuery>;
export type LogsQuery = z.infer<typeof logsQuery>;
export type GameSession = z.infer<typeof gameSession>;
export type SessionDetails = z.infer<typeof sessionDetails>;
export type SessionsReply = z.infer<typeof sessionsReply>;
export type LogEntry = z.infer<typeof logEntry>;
export type SessionStats = z.infer<typeof sessionStats>;
export type HealthReply = z.infer<typeof healthReply>;
export type UnhealthyReply = z.infer<typeof unhealthyReply>;
