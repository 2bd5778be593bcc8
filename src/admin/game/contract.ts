/** The wire contract of the operator's side of game sessions. */
import { z } from "zod";
import { analyticsQuery, analyticsReply } from "../../analytics/contract.ts";
import { numberCursor, pageLimit, text } from "../../sessions/contract.ts";
import { combatEvent, combatSession } from "../../sessions/game/combat/contract.ts";
import {
  gameSession,
  gameStatus,
  gameType,
  logsQuery,
  logsReply,
  sessionDetails,
} from "../../sessions/game/contract.ts";
import { inQuery, page, reason } from "../contract.ts";

export const listGamesQuery = z.object({
  ...inQuery,
  type: gameType.optional(),
  status: gameStatus.optional(),
  search: text(100).optional(),
});

/** The audit log keeps the reason, and the session's log says it. */
export const endGameRequest = z.object({ reason: reason.optional() });

export const gameAnalyticsQuery = analyticsQuery;
export const gameAnalyticsReply = analyticsReply;
export const gamesPage = page(gameSession);
/** Without a match where the session is none. */
export const gameReply = z.object({ session: sessionDetails, match: combatSession.optional() });
export const gameLogsQuery = logsQuery;
export const gameEventsQuery = z.object({ limit: pageLimit(50, 500), cursor: numberCursor.optional() });
/** In their order; the next page has the ones before. */
export const gameEventsPage = z.object({ events: z.array(combatEvent), next_cursor: z.string().nullable() });
export const gameLogsPage = logsReply;

export type ListGames = z.infer<typeof listGamesQuery>;
export type GameReply = z.infer<typeof gameReply>;
export type GameItem = z.infer<typeof gameSession>;
export type GameEventsPage = z.infer<typeof gameEventsPage>;
export type MatchItem = z.infer<typeof combatSession>;
export type MatchEvent = z.infer<typeof combatEvent>;
export type GameAnalytics = z.infer<typeof analyticsReply>;
export type GameTimeframe = GameAnalytics["timeframe"];
export type GameLogsPage = z.infer<typeof logsReply>;
