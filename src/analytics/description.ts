/** The numbers over game sessions in the OpenAPI document. */
import { type DescribedErrorShape, type Part, queryOf } from "../http/openapi/part.ts";
import { analyticsQuery, analyticsReply } from "./contract.ts";

export const analyticsExample = {
  timeframe: "24h",
  total_sessions: 3,
  active_sessions: 1,
  average_duration_seconds: 754.5,
  duration_seconds: { p50: 311.2, p95: 1204.6 },
  sessions_by_type: { combat: 2, player: 1, auth: 0, custom: 0 },
  sessions_by_status: { active: 1, paused: 0, completed: 2, terminated: 0 },
  error_rate: 0.04,
  performance_metrics: {
    average_response_time_ms: 3.2,
    p95_response_time_ms: 8.7,
    throughput_per_second: 41.5,
  },
  trends: [
    { period: "2026-03-01T09:00:00.000Z", sessions_created: 0, sessions_completed: 0 },
    { period: "2026-03-01T10:00:00.000Z", sessions_created: 3, sessions_completed: 2, average_duration: 754.5 },
  ],
};

export const analyticsParameters = queryOf(analyticsQuery, {
  timeframe: {
    description:
      "Sessions created within it, in steps of 5 minutes, 30 minutes, 1 hour, 6 hours or 1 day: from the step that holds its beginning.",
  },
  session_type: { description: "Of these sessions alone." },
  metric: { description: "What is told of them; the number of sessions always is." },
});

/** `errorShape`: that of the game routes, among which they stand. */
export const analyticsPart = (errorShape: DescribedErrorShape): Pick<Part, "schemas" | "routes"> => ({
  schemas: { GameAnalytics: analyticsReply },
  routes: [
    {
      method: "get",
      path: "/api/v1/game/analytics/sessions",
      operationId: "readGameAnalytics",
      access: "player",
      summary: "Numbers over the sessions of a timeframe",
      description:
        "For a player of the sessions that it has made and the matches that it takes part in, for a service of all. They are what counting the sessions would give at this moment: one whose time is over has ended, whether or not somebody has tidied, and what was forgotten or erased is in no number.",
      parameters: analyticsParameters,
      answers: [
        {
          status: 200,
          description: "The numbers. What there is nothing to say about is absent, such as an average of none.",
          content: [{ schema: analyticsReply, examples: { day: analyticsExample } }],
          headers: ["Cache-Control"],
        },
      ],
      errors: ["unauthorized", "not_found"],
      errorShape,
    },
  ],
});
