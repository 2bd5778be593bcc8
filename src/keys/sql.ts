/** Every statement on access keys. A change is written into the audit log in its own statement, so never without it. */
import type { Operator } from "../audit/operator.ts";
import type { Database } from "../database/database.ts";
import type { Sql } from "../database/lane.ts";
import { mayBeCopied } from "../sessions/device/copy-watch-sql.ts";
import { liveLeases, liveSessions } from "../sessions/device/live-sql.ts";
import { beginsWith } from "./filter-sql.ts";

export interface KeyRow {
  id: number;
  /** Masked. */
  access_key: string;
  label: string | null;
  created_at: Date;
  expires_at: Date | null;
  revoked_at: Date | null;
  last_used_at: Date | null;
  /** Whether a session of it is live now, by the database's clock. */
  live: boolean;
  /** Whether that session may be in use on two devices. */
  may_be_copied: boolean;
  /** Until when a device may work offline with it, and nobody else can start. */
  leased_until: Date | null;
}

export interface NewKey {
  hash: Uint8Array;
  /** That of another text for the same key; null: there is none. Where it is known already, it is that key. */
  alias: Uint8Array | null;
  prefix: string;
  label: string | null;
  /** RFC 3339 */
  expiresAt: string | null;
}

/** Adds a key. Undefined: it exists already, and stays as it is. */
export async function insertKey(
  database: Database,
  key: NewKey,
  by: Operator,
): Promise<{ id: number; createdAt: Date } | undefined> {
  const [row] = await database.operators.query(
    (query, waits) => query<Array<{ id: number; createdAt: Date }>>`
      SELECT id, created_at AS "createdAt"
      FROM create_key(caller_waits(${waits}, ${key.hash}::bytea), ${key.alias}::bytea, ${key.prefix}, ${key.label}, ${key.expiresAt},
                      ${by.who}, ${by.from})`,
  );
  return row && { id: row.id, createdAt: row.createdAt };
}

/** Adds keys, with one entry in the audit log; those that exist already stay as they are, and of two alike the first counts. Returns how many are new. */
export async function insertKeys(database: Database, rows: NewKey[], by: Operator): Promise<number> {
  const given = rows.map((row, at) => ({
    at,
    ...hexOf(row),
    prefix: row.prefix,
    label: row.label,
    expires_at: row.expiresAt,
  }));
  const [row] = await database.background.query(
    (query, waits) => query<Array<{ imported: number }>>`
      SELECT import_keys(caller_waits(${waits}, ${query.json(given)}::jsonb), ${by.who}, ${by.from}) AS imported`,
  );
  return row?.imported as number;
}

/** Which of these are there, by their places among them. Changes nothing. */
export async function selectKnownKeys(database: Database, rows: NewKey[]): Promise<number[]> {
  const given = rows.map((row, at) => ({ at, ...hexOf(row) }));
  const found = await database.background.query(
    (query) => query<Array<{ at: number }>>`
      SELECT given.at FROM jsonb_to_recordset(${query.json(given)}) AS given (at int, hash text, alias text)
      WHERE EXISTS (SELECT FROM keys WHERE key_hash IN (decode(given.hash, 'hex'), decode(given.alias, 'hex')))`,
  );
  return found.map((row) => row.at);
}

const hexOf = ({ hash, alias }: NewKey) => ({
  hash: Buffer.from(hash).toString("hex"),
  alias: alias && Buffer.from(alias).toString("hex"),
});

/** One page of keys by id, `after` excluded. */
export async function selectKeys(database: Database, page: { after: number; limit: number }): Promise<KeyRow[]> {
  return database.background.query(
    (query) => query<KeyRow[]>`${keysNow(query)} WHERE k.id > ${page.after} ORDER BY k.id LIMIT ${page.limit}`,
  );
}

/** Whatever a person may mean: at most `limit` keys with that id, kept as one of these hashes, or with that beginning. */
export async function selectMeantKeys(
  database: Database,
  meant: { id: number | undefined; hashes: Uint8Array[]; prefix: string | undefined; limit: number },
): Promise<KeyRow[]> {
  const { id, hashes, prefix, limit } = meant;
  const [hash = null, alias = null] = hashes;
  return database.background.query(
    (query) => query<KeyRow[]>`
      ${keysNow(query)}
      WHERE k.id = ${id ?? null} OR k.key_hash IN (${hash}, ${alias})
        ${prefix === undefined ? query`` : query`OR ${beginsWith(query, prefix)}`}
      ORDER BY k.id LIMIT ${limit}`,
  );
}

const keysNow = (query: Sql) => query`
  SELECT k.id, k.key_prefix || '…' AS access_key, k.label, k.created_at, k.expires_at, k.revoked_at, k.last_used_at,
         s.key_id IS NOT NULL AS live, ${mayBeCopied(query)} AS may_be_copied, l.until AS leased_until
  FROM keys k
  LEFT JOIN ${liveSessions(query)} s ON s.key_id = k.id
  LEFT JOIN ${liveLeases(query)} l ON l.key_id = k.id`;

/** Changes what is given; undefined stays as it is. Returns whether there is such a key. */
export async function patchKeyRow(
  database: Database,
  id: number,
  patch: { label: string | null | undefined; expiresAt: string | null | undefined },
  by: Operator,
): Promise<boolean> {
  const details = {
    ...(patch.label !== undefined && { label: patch.label }),
    ...(patch.expiresAt !== undefined && { expires_at: patch.expiresAt }),
  };
  const [row] = await database.operators.query(
    (query, waits) => query`
      SELECT change_key(caller_waits(${waits}, ${id}::bigint), ${query.json(details)}, ${by.who}, ${by.from}) AS known`,
  );
  return row?.known;
}

/** Revokes a key and ends its live session in one transaction, which tells the device the note. */
export async function revokeKeyRow(
  database: Database,
  id: number,
  note: string | null,
  by: Operator,
): Promise<{ known: boolean; sessionRevoked: boolean }> {
  const [row] = await database.operators.query(
    (query, waits) => query<Array<{ known: boolean; sessionRevoked: boolean }>>`
      SELECT done.known, done.session_revoked AS "sessionRevoked", CASE WHEN done.known THEN
        record_audit(${by.who}, ${by.from}, 'key_revoked', ${id},
                     jsonb_build_object('reason', ${note}::text, 'session_ended', done.session_revoked)) END AS entry
      FROM revoke_key(caller_waits(${waits}, ${id}::bigint), ${note}) done`,
  );
  return { known: row?.known === true, sessionRevoked: row?.sessionRevoked === true };
}

/** Makes a revoked key good again. What ended stays ended. */
export async function restoreKeyRow(database: Database, id: number, by: Operator): Promise<void> {
  await database.operators.query(
    (query, waits) => query`SELECT restore_key(caller_waits(${waits}, ${id}::bigint), ${by.who}, ${by.from})`,
  );
}

/** Takes a key away with all that is known of its devices. Returns whether there was such a key. */
export async function eraseKeyRow(database: Database, id: number, by: Operator): Promise<boolean> {
  const [row] = await database.operators.query(
    (query, waits) => query`
      SELECT done.known, CASE WHEN done.known THEN
        record_audit(${by.who}, ${by.from}, 'key_erased', ${id}, NULL) END AS entry
      FROM erase_key(caller_waits(${waits}, ${id}::bigint)) done`,
  );
  return row?.known === true;
}

export async function countKeys(database: Database): Promise<number> {
  const [row] = await database.background.query(
    (query) => query`SELECT count(*)::int AS n FROM (SELECT FROM keys LIMIT 1) k`,
  );
  return row?.n;
}

/** How the pepper was known last, and whether there are keys that were hashed with it. */
export async function selectPepperMark(database: Database): Promise<{ mark: string | null; hasKeys: boolean }> {
  const [row] = await database.background.query(
    (query) => query<Array<{ mark: string | null; hasKeys: boolean }>>`
      SELECT pepper_mark AS mark, EXISTS (SELECT FROM keys) AS "hasKeys" FROM service_state`,
  );
  return row as { mark: string | null; hasKeys: boolean };
}

/** Of two processes that start at once with different peppers on an empty database the later one is believed. */
export async function savePepperMark(database: Database, mark: string): Promise<void> {
  await database.background.query((query) => query`SELECT keep_pepper_mark(${mark})`);
}
