import type { Database } from "../database/database.ts";
import type { AnalyticsQuery, AnalyticsReply } from "./contract.ts";
import { describePerformance } from "./performance.ts";
import { type NumbersRow, type Reader, selectNumbers } from "./sql.ts";

/**
 * The numbers over game sessions as they are now: of those that a player has made or takes part in, for a service of all.
 * Throws `unavailable`.
 */
export async function readAnalytics(database: Database, query: AnalyticsQuery, by: Reader): Promise<AnalyticsReply> {
  const { timeframe, session_type, metric } = query;
  const type = session_type === "all" ? undefined : session_type;
  const wantsPerformance = metric === "performance" || metric === "all";
  return describeNumbers(await selectNumbers(database, { timeframe, type, wantsPerformance }, by), timeframe, metric);
}

/** What one metric tells, or all of them. */
export function describeNumbers(
  row: NumbersRow,
  timeframe: AnalyticsQuery["timeframe"],
  metric: AnalyticsQuery["metric"],
): AnalyticsReply {
  const asksFor = (asked: AnalyticsQuery["metric"]) => metric === asked || metric === "all";
  const [count, duration] = [asksFor("count"), asksFor("duration")];
  return {
    timeframe,
    total_sessions: row.sessions,
    active_sessions: count ? row.active : undefined,
    average_duration_seconds: duration ? averageSeconds(row.duration_ms, row.completed + row.terminated) : undefined,
    duration_seconds: duration ? describePercentiles(row) : undefined,
    sessions_by_type: count ? describeTypes(row) : undefined,
    sessions_by_status: count ? describeStatuses(row) : undefined,
    error_rate: asksFor("errors") ? row.refused / Math.max(1, row.actions + row.refused) : undefined,
    performance_metrics: asksFor("performance") ? describePerformance(row.performance) : undefined,
    trends: count || duration ? describeTrends(row) : undefined,
  };
}

/** Undefined: none has ended. */
const averageSeconds = (allMs: number, ended: number) => (ended > 0 ? allMs / ended / 1000 : undefined);

function describePercentiles({ p50_ms, p95_ms }: NumbersRow) {
  return p50_ms === null || p95_ms === null ? undefined : { p50: p50_ms / 1000, p95: p95_ms / 1000 };
}

function describeTypes({ by_type }: NumbersRow) {
  const counts = new Map(by_type);
  const of = (type: string) => counts.get(type) ?? 0;
  return { combat: of("combat"), player: of("player"), auth: of("auth"), custom: of("custom") };
}

function describeStatuses({ sessions, paused, completed, terminated }: NumbersRow) {
  return { active: sessions - paused - completed - terminated, paused, completed, terminated };
}

function describeTrends({ steps }: NumbersRow) {
  return steps.map(([beginning, sessions, completed, ended, durationMs]) => ({
    period: new Date(beginning).toISOString(),
    sessions_created: sessions,
    sessions_completed: completed,
    average_duration: averageSeconds(durationMs, ended),
  }));
}
