/** What an access key looks like, how it is kept, and how much of it people see. */
import { createHash, createHmac, randomBytes } from "node:crypto";

/** Crockford's base 32 in lower case: no i, l, o, u, so nobody misreads one. 5 bits a character. */
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const KEY_LENGTH = 32;

/** A new access key: 32 characters, 160 random bits. */
export function mintKey(): string {
  return Array.from(randomBytes(KEY_LENGTH), (byte) => ALPHABET[byte & 31]).join("");
}

export type HashKey = (key: string) => Uint8Array;

/** SHA-256 of the key, or HMAC-SHA-256 where a pepper is set: without the pepper a stolen table cannot be tried out. */
export function createHashKey(pepper: string | undefined): HashKey {
  return pepper === undefined
    ? (key) => createHash("sha256").update(key, "utf8").digest()
    : (key) => createHmac("sha256", pepper).update(key, "utf8").digest();
}

/** The first 8 characters, or the first half of a key so short that these would be all of it. */
export function keyPrefix(key: string): string {
  const characters = [...key];
  return characters.slice(0, Math.min(8, Math.floor(characters.length / 2))).join("");
}

/** How people see a key: "abc12345…". */
export function maskKey(key: string): string {
  return `${keyPrefix(key)}…`;
}
