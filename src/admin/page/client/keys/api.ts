/** What the page asks of access keys. */
import type { CreateKeyReply, KeyItem } from "../../../keys/contract.ts";
import { call, type Page } from "../api.ts";

export type { CreateKeyReply, KeyItem };

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

export const searchKeys = (filter: object) => call<Page<KeyItem>>("POST", "keys/search", filter);
export const readKey = (id: number) => call<KeyItem>("GET", `keys/${id}`);
export const createKey = (key: object) => call<CreateKeyReply>("POST", "keys", key);
export const changeKey = (id: number, patch: object) => call<KeyItem>("PATCH", `keys/${id}`, patch);
export const revokeKey = (id: number, reason: string) =>
  call<KeyItem>("POST", `keys/${id}/revoke`, reason ? { reason } : {});
export const restoreKey = (id: number) => call<KeyItem>("POST", `keys/${id}/restore`, {});
export const eraseKey = (id: number) => call("DELETE", `keys/${id}`);
export const importKeys = (text: string | Blob, { partial, dryRun }: { partial: boolean; dryRun: boolean }) =>
  call<ImportReport>("POST", `keys/import?partial=${partial}&dry_run=${dryRun}`, text, "text/csv");
