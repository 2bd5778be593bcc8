/** Every statement on access keys. */
import { and, eq, like, or, sql } from "drizzle-orm";
import { activeSessions } from "../../drizzle/active-sessions.ts";
import { keys } from "../../drizzle/keys.ts";
import type { Database } from "../database/database.ts";

export interface KeyRow {
  id: number;
  prefix: string;
  label: string | null;
  createdAt: string;
  expiresAt: string | null;
  revokedAt: string | null;
  lastUsedAt: string | null;
  /** Whether a session of it is live now, by the database's clock. */
  live: boolean;
}

export interface NewKey {
  hash: Uint8Array;
  prefix: string;
  label: string | null;
  /** RFC 3339 */
  expiresAt: string | null;
}

/** Adds keys; those that exist already stay as they are. Returns the new ones, in no order. */
export async function insertKeys(database: Database, rows: NewKey[]): Promise<Array<{ id: number; hash: Uint8Array }>> {
  const values = rows.map((row) => ({
    keyHash: row.hash,
    keyPrefix: row.prefix,
    label: row.label,
    expiresAt: row.expiresAt,
  }));
  return database.tables((tables) =>
    tables
      .insert(keys)
      .values(values)
      .onConflictDoNothing({ target: keys.keyHash })
      .returning({ id: keys.id, hash: keys.keyHash }),
  );
}

/** One page of keys by id, `after` excluded. */
export async function selectKeys(database: Database, page: { after: number; limit: number }): Promise<KeyRow[]> {
  return database.tables((tables) =>
    tables
      .select(KEY_COLUMNS)
      .from(keys)
      .leftJoin(activeSessions, eq(activeSessions.keyId, keys.id))
      .where(sql`${keys.id} > ${page.after}`)
      .orderBy(keys.id)
      .limit(page.limit),
  );
}

/** Whatever a person may mean: at most `limit` keys with that id, that whole key, or that beginning. */
export async function findKeys(
  database: Database,
  wanted: { id: number | undefined; hash: Uint8Array; prefix: string | undefined; limit: number },
): Promise<KeyRow[]> {
  const byPrefix =
    wanted.prefix === undefined ? undefined : like(keys.keyPrefix, `${wanted.prefix.replace(/[\\%_]/g, "\\$&")}%`);
  return database.tables((tables) =>
    tables
      .select(KEY_COLUMNS)
      .from(keys)
      .leftJoin(activeSessions, eq(activeSessions.keyId, keys.id))
      .where(
        and(or(wanted.id === undefined ? undefined : eq(keys.id, wanted.id), eq(keys.keyHash, wanted.hash), byPrefix)),
      )
      .orderBy(keys.id)
      .limit(wanted.limit),
  );
}

/** Revokes a key and ends its live session in one transaction. Returns whether a live session ended. */
export async function revokeKeyRow(database: Database, id: number): Promise<boolean> {
  const [row] = await database.background.query((query) => query`SELECT revoke_key(${id}) AS session_revoked`);
  return row?.session_revoked === true;
}

export async function countKeys(database: Database): Promise<number> {
  const [row] = await database.background.query(
    (query) => query`SELECT count(*)::int AS n FROM (SELECT FROM keys LIMIT 1) k`,
  );
  return row?.n;
}

const rfc3339 = (column: unknown) =>
  sql<string | null>`to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

const KEY_COLUMNS = {
  id: keys.id,
  prefix: keys.keyPrefix,
  label: keys.label,
  createdAt: rfc3339(keys.createdAt) as ReturnType<typeof sql<string>>,
  expiresAt: rfc3339(keys.expiresAt),
  revokedAt: rfc3339(keys.revokedAt),
  lastUsedAt: rfc3339(keys.lastUsedAt),
  live: sql<boolean>`coalesce(${activeSessions.lastHeartbeat} > session_cutoff(clock_timestamp()), false)`,
};
