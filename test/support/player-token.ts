/** Tokens of players and services, by the secret of every application of the suite. They hold for an hour. */
import { createHmac } from "node:crypto";

export const JWT_SECRET = "a-secret-for-the-tokens-of-the-suite";

/** `claims`: beyond the subject and the end. */
export const playerToken = (sub: string, claims: object = {}): string =>
  signToken({ sub, exp: inSeconds(3_600), ...claims });

/** A moment as tokens have it. */
export const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds;

/** Signed as the header says, or by another hash under the same header. */
export function signToken(
  claims: object,
  { alg = "HS256", secret = JWT_SECRET, hash = "sha256" }: { alg?: string; secret?: string; hash?: string } = {},
): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");
  const signed = `${encode({ alg })}.${encode(claims)}`;
  return `${signed}.${createHmac(hash, secret).update(signed).digest("base64url")}`;
}

export const serviceToken = (): string => playerToken("a-backend", { role: "service" });
