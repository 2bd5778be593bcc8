/** The wire contract of the operator's side of game sessions. */
import { z } from "zod";
import { text } from "../../sessions/contract.ts";
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

export const gamesPage = page(gameSession);
export const gameReply = z.object({ session: sessionDetails });
export const gameLogsQuery = logsQuery;
export const gameLogsPage = logsReply;

export type ListGames = z.infer<typeof listGamesQuery>;
export type GameReply = z.infer<typeof gameReply>;
