/** What the n-th key, session and device of a benchmark are called: the same here and in the SQL that makes them. */
import { createHash } from "node:crypto";

export const SESSION_ID_BYTES = 36;

/** 16 characters and more, as real keys have; the first 8 are what people see of it. */
export const accessKey = (n: number): string => `bench-access-key-${n}`;
export const MASKED_KEY = "bench-ac…";

/** What a real device sends along; it stands in the row that every heartbeat writes anew. */
export const device = (n: number): string => `{"name":"Office PC ${n}","platform":"windows","app_version":"2.1.0"}`;

/** As random as the UUIDs that real clients choose, so that neighbours in time are no neighbours in the index. */
export function sessionId(n: number): string {
  const hex = createHash("sha256").update(`session ${n}`).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}

/** In SQL, for a column or parameter n. */
export const SESSION_ID_SQL = "left(encode(sha256(('session ' || n)::bytea), 'hex'), 32)::uuid::text";
export const KEY_HASH_SQL = "sha256(('bench-access-key-' || n)::bytea)";
export const DEVICE_SQL =
  "jsonb_build_object('name', 'Office PC ' || n, 'platform', 'windows', 'app_version', '2.1.0')";

/** The ids of the first so many sessions, one behind the other: a million strings would cost the generator twice. */
export function sessionIdTable(count: number): Buffer {
  const table = Buffer.allocUnsafe(count * SESSION_ID_BYTES);
  for (let n = 0; n < count; n++) table.write(sessionId(n), n * SESSION_ID_BYTES, "latin1");
  return table;
}
