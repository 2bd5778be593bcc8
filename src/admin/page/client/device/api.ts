/** What the page asks of device sessions. */
import type { HistoryItem, Kicked, NumbersReply, SessionItem, TakeoverNews } from "../../../device/contract.ts";
import { call, type Page } from "../api.ts";

export type { HistoryItem, Kicked, NumbersReply, SessionItem, TakeoverNews };

export const readNumbers = () => call<NumbersReply>("GET", "numbers?hours=24");
export const searchSessions = (filter: object) => call<Page<SessionItem>>("POST", "sessions/search", filter);
export const kick = (session: { key_id: number; generation: number }, reason: string) =>
  call<Kicked>("POST", "sessions/kick", { ...session, ...(reason && { reason }) });
export const readHistory = (keyId: number, cursor: string | null) =>
  call<Page<HistoryItem>>("GET", `keys/${keyId}/history?limit=200${cursor ? `&cursor=${cursor}` : ""}`);
