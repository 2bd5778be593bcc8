import type { Database } from "../../database/database.ts";
import { AppError } from "../../errors.ts";
import { formsOf, type HashKey } from "../../keys/index.ts";
import { pageOf } from "../page-of.ts";
import { type KeyItem, keyId, type SearchKeys } from "./contract.ts";
import { type KeyWithHolderRow, selectKeysWithHolder } from "./sql.ts";

/** A page of the keys that fit all that is asked for, the newest first. */
export async function searchKeys(database: Database, hashKey: HashKey, asked: SearchKeys) {
  const [hash, alias] = asked.access_key === undefined ? [] : formsOf(asked.access_key).map(hashKey);
  const rows = await selectKeysWithHolder(database, {
    hash,
    alias,
    prefix: asked.prefix,
    label: asked.label === "" ? undefined : asked.label,
    state: asked.state,
    before: asked.cursor ?? undefined,
    limit: asked.limit + 1,
  });
  return pageOf(rows, asked.limit, { placeOf: (row) => row.id, item: itemOf });
}

/** Throws key_not_found. */
export async function readKey(database: Database, id: number): Promise<KeyItem> {
  const [row] = await selectKeysWithHolder(database, { id, limit: 1 });
  if (!row) throw keyNotFound();
  return itemOf(row);
}

/** The id that a path names. What is no id is no key either: throws key_not_found. */
export function readKeyId(text: string | undefined): number {
  const id = keyId.safeParse(text);
  if (!id.success) throw keyNotFound();
  return id.data;
}

export const keyNotFound = () => new AppError("key_not_found", "There is no such key");

function itemOf(row: KeyWithHolderRow): KeyItem {
  return {
    id: row.id,
    access_key: row.access_key,
    label: row.label,
    created_at: row.created_at.toISOString(),
    expires_at: row.expires_at?.toISOString() ?? null,
    revoked_at: row.revoked_at?.toISOString() ?? null,
    last_used_at: row.last_used_at?.toISOString() ?? null,
    generation: row.generation,
    live: row.session_id === null ? null : holderOf(row),
    leased_until: row.leased_until?.toISOString() ?? null,
  };
}

function holderOf(row: KeyWithHolderRow): KeyItem["live"] {
  return {
    session_id: row.session_id as string,
    started_at: (row.started_at as Date).toISOString(),
    last_heartbeat: (row.last_heartbeat as Date).toISOString(),
    device: row.device,
    with_proof: row.with_proof as boolean,
    may_be_copied: row.may_be_copied as boolean,
  };
}
