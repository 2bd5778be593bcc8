/** Names of a benchmark's n-th key, session and device: the same here and in the SQL that makes them. */
import { createHash } from "node:crypto";

export const SESSION_ID_BYTES = 36;

/** At least 16 characters, like real keys; people see the first 8. */
export const accessKey = (n: number): string => `bench-access-key-${n}`;
export const MASKED_KEY = "bench-ac…";

/** A realistic device: it is part of the row that every heartbeat rewrites. */
export const device = (n: number): string => `{"name":"Office PC ${n}","platform":"windows","app_version":"2.1.0"}`;

/** Random like the UUIDs of real clients, so that neighbours in time are not neighbours in the index. */
export function sessionId(n: number): string {
  const hex = createHash("sha256").update(`session ${n}`).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}

/** The same in SQL, for a column or parameter n. */
export const SESSION_ID_SQL = "left(encode(sha256(('session ' || n)::bytea), 'hex'), 32)::uuid::text";
export const KEY_HASH_SQL = "sha256(('bench-access-key-' || n)::bytea)";
export const DEVICE_SQL =
  "jsonb_build_object('name', 'Office PC ' || n, 'platform', 'windows', 'app_version', '2.1.0')";

/** The ids of the first `count` sessions in one buffer: a million strings would cost the generator twice as much. */
export function sessionIdTable(count: number): Buffer {
  const table = Buffer.allocUnsafe(count * SESSION_ID_BYTES);
  for (let n = 0; n < count; n++) table.write(sessionId(n), n * SESSION_ID_BYTES, "latin1");
  return table;
}
