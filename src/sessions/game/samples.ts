/** Game sessions as Prometheus sees them. */
import { gauge, type Samples } from "../../metrics/samples.ts";
import { GAME_ENDED_REASONS, GAME_TYPES } from "./states.ts";
import type { GameNumbers } from "./upkeep-sql.ts";

const LIVE = ["active", "paused"] as const;

export function describeGames({ live, ended }: GameNumbers): Samples {
  const countOf = (type: string, status: string) =>
    live.find((row) => row.type === type && row.status === status)?.count ?? 0;
  return [
    gauge(
      "keybeat_game_sessions",
      "Game sessions that are not over",
      "max",
      GAME_TYPES.flatMap((type) => LIVE.map((status) => [{ type, status }, countOf(type, status)])),
    ),
    gauge(
      "keybeat_game_sessions_ended_last_hour",
      "Game sessions that ended within the last hour, by why",
      "max",
      GAME_ENDED_REASONS.map((reason) => [{ reason }, ended[reason] ?? 0]),
    ),
  ];
}
