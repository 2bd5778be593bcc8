/** Tokens of players and services, by the secret of every application of the suite. They hold for an hour. */
import { createHmac } from "node:crypto";

export const JWT_SECRET = "a-secret-for-the-tokens-of-the-suite";

/** `claims`: beyond the subject and the end. */
export function playerToken(sub: string, claims: object = {}): string {
  const exp = Math.floor(Date.now() / 1000) + 3_600;
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");
  const signed = `${encode({ alg: "HS256" })}.${encode({ sub, exp, ...claims })}`;
  return `${signed}.${createHmac("sha256", JWT_SECRET).update(signed).digest("base64url")}`;
}

export const serviceToken = (): string => playerToken("a-backend", { role: "service" });
