/** The keys of SIGNING_KEY: Ed25519, the newest first. A retired one stays as long as some clients have only it. */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, randomBytes, sign } from "node:crypto";
import { commandLine } from "../command-line.ts";

export interface SigningKey {
  /** The first 16 hexadecimal digits of the SHA-256 of its 32 public bytes. */
  id: string;
  /** Its 32 public bytes, in base64url: what clients are given. */
  publicKey: string;
  secret: KeyObject;
  public: KeyObject;
}

/** 32 bytes in base64url: the last character has only four bits. */
const SEED = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;

/** What PKCS #8 has before the seed of an Ed25519 key (RFC 8410, section 7). */
const PKCS8_BEFORE_SEED = Buffer.from("302e020100300506032b657004220420", "hex");

/** A new seed, as SIGNING_KEY takes it. */
export const createSeed = (): string => randomBytes(32).toString("base64url");

/** Says why a text is no SIGNING_KEY; undefined: it is one. Never reveals it. */
export function findSigningKeyFault(text: string): string | undefined {
  if (text !== text.trim()) return "must not begin or end with a blank";
  const seeds = splitSeeds(text);
  if (seeds.length === 0) return "has no key";
  const wrong = seeds.findIndex((seed) => !SEED.test(seed));
  const which = seeds.length === 1 ? "its key" : `key ${wrong + 1} of ${seeds.length}`;
  if (wrong !== -1)
    return `must be keys of 32 bytes in base64url (${commandLine()} signing-key create makes one), but ${which} is none`;
  return new Set(seeds).size < seeds.length ? "has the same key twice" : undefined;
}

/** The text must have no fault. */
export const readSigningKeys = (text: string): SigningKey[] => splitSeeds(text).map(readSeed);

/** By Keybeat-Trusts: the first of our keys that it names, without the header the newest. */
export function chooseSigningKey(keys: readonly SigningKey[], trusts: string | undefined): SigningKey | undefined {
  if (trusts === undefined) return keys[0];
  const ids = trusts.split(",").map((id) => id.trim());
  return keys.find(({ id }) => ids.includes(id));
}

/** 64 bytes, made in the thread pool: that takes longer than answering a heartbeat. */
export function signBytes(key: SigningKey, bytes: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    sign(null, bytes, key.secret, (error, signature) => (error === null ? resolve(signature) : reject(error)));
  });
}

const splitSeeds = (text: string): string[] => text.split(/[\s,]+/).filter((part) => part !== "");

function readSeed(seed: string): SigningKey {
  const der = Buffer.concat([PKCS8_BEFORE_SEED, Buffer.from(seed, "base64url")]);
  const secret = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  const open = createPublicKey(secret);
  const publicKey = open.export({ format: "jwk" }).x as string;
  const id = createHash("sha256").update(Buffer.from(publicKey, "base64url")).digest("hex").slice(0, 16);
  return { id, publicKey, secret, public: open };
}
