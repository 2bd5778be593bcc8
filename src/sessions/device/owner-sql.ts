/** What the owner of a key asks and does with nothing but the key. */
import type { Database } from "../../database/database.ts";
import type { EndingReason } from "./contract.ts";
import type { HolderJson } from "./sql.ts";

interface SignOutRow {
  outcome:
    | "signed_out"
    | "nobody_live"
    | "invalid_key"
    | "key_expired"
    | "key_revoked"
    | "holder_changed"
    | "rate_limited";
  /** Of holder_changed. */
  holder: HolderJson | null;
  /** Of rate_limited. */
  wait_seconds: number | null;
}

/** Ends the key's live session if it has that generation, and never one that started since. */
export async function signOutRow(
  database: Database,
  order: { hash: Uint8Array; expectedGeneration: number; note: string; endingsMax: number },
  until: number,
): Promise<SignOutRow> {
  const { hash, expectedGeneration, note, endingsMax } = order;
  const [row] = await database.requests.query(
    (sql, waits) => sql<SignOutRow[]>`
      SELECT * FROM sign_out_session(caller_waits(${waits}, ${hash}::bytea), ${expectedGeneration}, ${note}, ${endingsMax})`,
    // In turn with the key's starts, for whose row it waits.
    Buffer.from(hash).toString("base64"),
    until,
  );
  return row as SignOutRow;
}

/** The last endings of a key's sessions, the newest first, by day (UTC). Undefined: there is no such key. */
export async function selectEndings(
  database: Database,
  hash: Uint8Array,
  limit: number,
  until: number,
): Promise<Array<{ day: string; reason: EndingReason }> | undefined> {
  const rows = await database.requests.query(
    (sql) => sql<Array<{ day: string; reason: EndingReason | null }>>`
      SELECT to_char(h.ended_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, h.reason
      FROM keys k
      LEFT JOIN LATERAL (
        SELECT h.generation, h.ended_at, h.reason FROM session_history h
        WHERE h.key_id = k.id ORDER BY h.generation DESC LIMIT ${limit}
      ) h ON true
      WHERE k.key_hash = ${hash} ORDER BY h.generation DESC`,
    undefined,
    until,
  );
  if (rows.length === 0) return undefined;
  return rows.flatMap(({ day, reason }) => (reason === null ? [] : [{ day, reason }]));
}
