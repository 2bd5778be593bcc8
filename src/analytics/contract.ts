/** The wire contract of the numbers over game sessions. */
import { z } from "zod";
import { moment } from "../sessions/contract.ts";

export const TIMEFRAMES = ["1h", "6h", "24h", "7d", "30d"] as const;
export const METRICS = ["count", "duration", "performance", "errors", "all"] as const;
const TYPES = ["combat", "player", "auth", "custom"] as const;

export const analyticsQuery = z.object({
  timeframe: z.enum(TIMEFRAMES).default("24h"),
  session_type: z.enum([...TYPES, "all"]).default("all"),
  metric: z.enum(METRICS).default("all"),
});

const count = z.int().min(0).max(2_147_483_647);
const seconds = z.number().min(0);

/** What a metric has nothing to do with is absent, and so are averages of nothing. */
export const analyticsReply = z.object({
  timeframe: z.enum(TIMEFRAMES),
  /** Created within it. */
  total_sessions: count,
  /** At this moment, whenever they were created. */
  active_sessions: count.optional(),
  /** Of those that have ended, without their pauses. */
  average_duration_seconds: seconds.optional(),
  /** From a histogram whose buckets are 5 % wide: at most 2.5 % off. */
  duration_seconds: z.object({ p50: seconds, p95: seconds }).optional(),
  sessions_by_type: z.object({ combat: count, player: count, auth: count, custom: count }).optional(),
  sessions_by_status: z.object({ active: count, paused: count, completed: count, terminated: count }).optional(),
  /** Refused actions over all, refused ones included; 0 where there were none. */
  error_rate: z.number().min(0).max(1).optional(),
  /** Measured at this service, over all its calls of games. */
  performance_metrics: z
    .object({
      average_response_time_ms: z.number().min(0).optional(),
      /** From a histogram: exact to its bucket. */
      p95_response_time_ms: z.number().min(0).optional(),
      throughput_per_second: z.number().min(0),
    })
    .optional(),
  /** Step by step, from the one that holds the beginning of the timeframe; their sums are the totals. */
  trends: z
    .array(
      z.object({
        /** Its beginning. */
        period: moment,
        sessions_created: count,
        sessions_completed: count,
        average_duration: seconds.optional(),
      }),
    )
    .optional(),
});

export type AnalyticsQuery = z.infer<typeof analyticsQuery>;
export type AnalyticsReply = z.infer<typeof analyticsReply>;
