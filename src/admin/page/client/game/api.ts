/** What the page asks of game sessions. */
import type {
  GameAnalytics,
  GameEventsPage,
  GameItem,
  GameLogsPage,
  GameReply,
  GameTimeframe,
  MatchEvent,
  MatchItem,
} from "../../../game/contract.ts";
import { call, type Page } from "../api.ts";

export type { GameAnalytics, GameItem, GameReply, GameTimeframe, MatchEvent, MatchItem };
export type LogItem = GameLogsPage["logs"][number];
export type Participant = MatchItem["participants"][number];

const PAGE_SIZE = 50;

export const listGames = (filter: Record<string, string>) =>
  call<Page<GameItem>>("GET", `game?${new URLSearchParams(filter)}`);
export const readGame = (id: string) => call<GameReply>("GET", `game/${id}`);
export const endGame = (id: string, reason: string) =>
  call<GameItem>("POST", `game/${id}/end`, reason ? { reason } : {});
export const erasePlayer = (playerId: string) => call("DELETE", `players/${playerId}`);
export const readAnalytics = (timeframe: GameTimeframe) =>
  call<GameAnalytics>("GET", `game/analytics?timeframe=${timeframe}`);

/** The newest first, as is the next. */
export async function listEvents(id: string, cursor: string | null): Promise<Page<MatchEvent>> {
  const { events, next_cursor } = await call<GameEventsPage>("GET", `game/${id}/events?${pageAt(cursor)}`);
  return { items: events.reverse(), next_cursor };
}

export async function listLog(id: string, cursor: string | null): Promise<Page<LogItem>> {
  const { logs, next_cursor = null } = await call<GameLogsPage>("GET", `game/${id}/logs?${pageAt(cursor)}`);
  return { items: logs.reverse(), next_cursor };
}

function pageAt(cursor: string | null): URLSearchParams {
  const page = new URLSearchParams({ limit: String(PAGE_SIZE) });
  if (cursor !== null) page.set("cursor", cursor);
  return page;
}
