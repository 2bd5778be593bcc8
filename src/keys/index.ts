/**
 * Access keys: what a vendor sells and a device shows.
 *
 * A key is shown once, when it is made. What is kept is a hash, which finds it again, and its first characters, by
 * which people speak of it. A revoked or expired key starts no session; revoking also ends its live session, while
 * one that expires lets its live session go on until that ends.
 */
export { changeKey } from "./change.ts";
export { addKey, type CreatedKey, createKey } from "./create.ts";
export { eraseKey } from "./erase.ts";
export { findKeys } from "./find.ts";
export { type ImportReport, importKeys } from "./import.ts";
export type { Bytes } from "./import-lines.ts";
export { type KeyRow, listKeys } from "./list.ts";
export { expectPepper } from "./pepper.ts";
export { restoreKey } from "./restore.ts";
export { revokeKey } from "./revoke.ts";
export { createHashKey, type HashKey, maskKey } from "./secret.ts";
export { formsOf } from "./written.ts";
