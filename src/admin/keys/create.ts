import type { Operator } from "../../audit/operator.ts";
import type { Database } from "../../database/database.ts";
import { AppError } from "../../errors.ts";
import { addKey, type HashKey, maskKey } from "../../keys/index.ts";
import type { CreateKeyReply, CreateKeyRequest } from "./contract.ts";

const DAY_MS = 86_400_000;

/** Makes a key, or takes the given one in. Throws key_exists. */
export async function createKey(
  database: Database,
  hashKey: HashKey,
  wanted: CreateKeyRequest,
  by: Operator,
): Promise<CreateKeyReply> {
  const key = { key: wanted.access_key, label: wanted.label || null, expiresAt: expiryOf(wanted) };
  const added = await addKey(database, hashKey, key, by);
  if (!added) throw new AppError("key_exists", "That key exists already");
  const { id, access_key, label, expires_at, createdAt } = added;
  return {
    id,
    access_key,
    access_key_masked: maskKey(access_key),
    label,
    created_at: createdAt.toISOString(),
    expires_at: expires_at && new Date(expires_at).toISOString(),
  };
}

function expiryOf({ expires_at, expires_in_days: days }: CreateKeyRequest): string | null {
  return days === undefined ? (expires_at ?? null) : new Date(Date.now() + days * DAY_MS).toISOString();
}
