/** What the admin API answers, by its own contract; and what the stream of events says. */
import type { AuditItem } from "../../audit/contract.ts";
import type { HistoryItem, NumbersReply, SessionItem } from "../../device/contract.ts";
import type { KeyItem } from "../../keys/contract.ts";
import type { MoveItem, PatchRoom, PlaceItem, RoomReply } from "../../waiting-room/contract.ts";

export type { AuditItem, HistoryItem, KeyItem, MoveItem, NumbersReply, PatchRoom, PlaceItem, RoomReply, SessionItem };
export type Device = SessionItem["device"];

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

export interface CreatedKey {
  id: number;
  access_key: string;
  access_key_masked: string;
}

export interface ImportReport {
  imported: number;
  skipped_known: number;
  invalid: { line: number; reason: string }[];
  /** Only of a preview, as are the next three. */
  dry_run?: boolean;
  columns?: string[];
  ignored_columns?: string[];
  encoding_guessed?: boolean;
}

export type TakeoverNews = NumbersReply["newest_takeovers"][number];
