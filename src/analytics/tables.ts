/** The tables of the numbers; they are made by the game sessions' triggers, so that kind brings them. */
export const ANALYTICS_TABLES = ["game_rollups", "game_performance"] as const;
