/** What the numbers have to be: each session is read as it is at a moment, and they are counted here. */
import type { AnalyticsQuery } from "../../../src/analytics/contract.ts";
import type { TestDatabase } from "../../support/database.ts";

const MINUTE = 60_000_000;
const HOUR = 60 * MINUTE;
/** In microseconds, as is every moment here. */
export const FRAMES = {
  "1h": { lasts: HOUR, step: 5 * MINUTE },
  "6h": { lasts: 6 * HOUR, step: 30 * MINUTE },
  "24h": { lasts: 24 * HOUR, step: HOUR },
  "7d": { lasts: 7 * 24 * HOUR, step: 6 * HOUR },
  "30d": { lasts: 30 * 24 * HOUR, step: 24 * HOUR },
} as const;
export type Frame = AnalyticsQuery["timeframe"];
export const TYPES = ["combat", "player", "auth", "custom"] as const;

export interface PlainSession {
  type: string;
  status: "active" | "paused" | "completed" | "terminated";
  createdAt: number;
  /** Undefined: it goes on. */
  durationMs: number | undefined;
  actions: number;
  refused: number;
  /** Who made it and who takes part. */
  players: string[];
}

/** Of that moment, by the rule that decides about one session; null: now. */
export async function readPlainly(db: TestDatabase, at: number | null): Promise<PlainSession[]> {
  const rows = await db.sql`
    WITH moment AS MATERIALIZED (
      SELECT coalesce(timestamptz 'epoch' + ${at}::float8 * interval '1 microsecond', clock_timestamp()) AS at
    )
    SELECT s.type, s.status, (extract(epoch FROM s.created_at) * 1000000)::float8 AS "createdAt", o.reason,
           (extract(epoch FROM coalesce(s.ended_at, o.since)) * 1000000)::float8 AS "endedAt",
           (extract(epoch FROM s.paused_at) * 1000000)::float8 AS "pausedAt", s.paused_ms::float8 AS "pausedMs",
           coalesce(c.total_actions, 0)::int AS actions, coalesce(c.refused_actions, 0)::int AS refused,
           s.player_id::text || array(SELECT p.player_id::text FROM game_participants p WHERE p.session = s.number) AS players
    FROM moment m, game_sessions s LEFT JOIN game_combats c ON c.session = s.number, LATERAL game_overdue(s, m.at) o`;
  return rows.map((row) => {
    const ms = (from: number | null, to: number) => (from === null ? 0 : Math.max(0, Math.floor((to - from) / 1000)));
    const { createdAt, endedAt, pausedAt, pausedMs } = row;
    const durationMs = endedAt === null ? undefined : ms(createdAt, endedAt) - pausedMs - ms(pausedAt, endedAt);
    return {
      type: row.type,
      status: row.reason === null ? row.status : row.reason === "silence" ? "terminated" : "completed",
      createdAt,
      durationMs: durationMs === undefined ? undefined : Math.max(0, durationMs),
      actions: row.actions,
      refused: row.refused,
      players: String(row.players).replace(/[{}]/g, "").split(","),
    };
  });
}

export interface Asked {
  frame: Frame;
  /** Undefined: all. */
  type: string | undefined;
  /** Undefined: a service. */
  player: string | undefined;
}

/** Everything but the percentiles, in the words of the wire. */
export function countPlainly(sessions: PlainSession[], { frame, type, player }: Asked, at: number) {
  const { lasts, step } = FRAMES[frame];
  const stepOf = (moment: number) => Math.floor(moment / step) * step;
  const begins = stepOf(at - lasts);
  const seen = sessions
    .filter((one) => type === undefined || one.type === type)
    .filter((one) => player === undefined || one.players.includes(player));
  const within = seen.filter(({ createdAt }) => createdAt >= begins);
  const having = (status: string, among = within) => among.filter((one) => one.status === status).length;
  const periods = new Set(within.map(({ createdAt }) => stepOf(createdAt)));
  for (let period = begins; period <= at; period += step) periods.add(period);
  const { actions, refused } = within.reduce(
    (sum, one) => ({ actions: sum.actions + one.actions, refused: sum.refused + one.refused }),
    { actions: 0, refused: 0 },
  );
  return {
    timeframe: frame,
    total_sessions: within.length,
    active_sessions: having("active", seen),
    average_duration_seconds: averageSeconds(within),
    sessions_by_type: Object.fromEntries(TYPES.map((word) => [word, within.filter((one) => one.type === word).length])),
    sessions_by_status: Object.fromEntries(
      ["active", "paused", "completed", "terminated"].map((status) => [status, having(status)]),
    ),
    error_rate: refused === 0 ? 0 : refused / (actions + refused),
    trends: [...periods]
      .sort((a, b) => a - b)
      .map((period) => {
        const created = within.filter(({ createdAt }) => stepOf(createdAt) === period);
        return {
          period: new Date(period / 1000).toISOString(),
          sessions_created: created.length,
          sessions_completed: having("completed", created),
          average_duration: averageSeconds(created),
        };
      }),
    /** Of those that have ended, in their order; the percentiles are to be near these. */
    durations: within.flatMap(({ durationMs }) => durationMs ?? []).sort((a, b) => a - b),
  };
}

function averageSeconds(sessions: PlainSession[]): number | undefined {
  const durations = sessions.flatMap(({ durationMs }) => durationMs ?? []);
  return durations.length === 0 ? undefined : durations.reduce((sum, one) => sum + one, 0) / durations.length / 1000;
}

/** Undefined: there is none. */
export const percentile = (sorted: number[], share: number): number | undefined =>
  sorted[Math.ceil(sorted.length * share) - 1];
