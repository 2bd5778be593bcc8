/**
 * The signed lease: `<base64url of its JSON>.<base64url signature>`. Only the form: what a lease allows is decided where
 * leases are kept.
 */
import { sign, verify } from "node:crypto";
import type { SigningKey } from "./signing-keys.ts";

export interface LeaseClaims {
  lease_id: string;
  /** The access key for people: its first 8 characters and `…`. */
  key: string;
  generation: number;
  device?: { name?: string | undefined; platform?: string | undefined; app_version?: string | undefined } | undefined;
  /** RFC 3339, from the database's clock. */
  issued_at: string;
  until: string;
}

const PREFIX = "keybeat-lease-v1\n";

/** Devices' names take a few hundred. */
const CHARACTERS_MAX = 4096;

/** Whole bytes only, so that one lease has one form. */
const FORM = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{85}[AQgw]$/;

export function writeLease(key: SigningKey, claims: LeaseClaims): string {
  const { lease_id, key: masked, generation, device, issued_at, until } = claims;
  const written = { v: 1, kid: key.id, lease_id, key: masked, generation, device, issued_at, until };
  const first = Buffer.from(JSON.stringify(written)).toString("base64url");
  return `${first}.${sign(null, Buffer.from(PREFIX + first), key.secret).toString("base64url")}`;
}

/** Undefined: not signed by one of these keys. Whether it is over, or was given back, is another question. */
export function readLease(keys: readonly SigningKey[], text: string): LeaseClaims | undefined {
  if (text.length > CHARACTERS_MAX || !FORM.test(text)) return undefined;
  const [first, signature] = text.split(".") as [string, string];
  const written = parse(Buffer.from(first, "base64url").toString("utf8"));
  const key = keys.find(({ id }) => id === written?.kid);
  if (written?.v !== 1 || key === undefined) return undefined;
  if (!verify(null, Buffer.from(PREFIX + first), key.public, Buffer.from(signature, "base64url"))) return undefined;
  const { v, kid, ...claims } = written;
  return claims;
}

/**
 * Which lease a text is about, whoever signed it. That is enough for who keeps the leases: the id is a secret, and a lease
 * must hold on when the key that signed it is retired. Undefined: it says none.
 */
export function readLeaseId(text: string): string | undefined {
  if (text.length > CHARACTERS_MAX || !FORM.test(text)) return undefined;
  const id = parse(Buffer.from(text.split(".")[0] as string, "base64url").toString("utf8"))?.lease_id;
  return typeof id === "string" && /^[\w-]{1,64}$/.test(id) ? id : undefined;
}

/** Nobody has vouched for it yet. */
function parse(json: string): (LeaseClaims & { v: unknown; kid: unknown }) | undefined {
  try {
    const value = JSON.parse(json);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
