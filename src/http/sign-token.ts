import { SignJWT } from "jose";
import type { TokenRules } from "./user-auth.ts";

export interface TokenClaims {
  subject: string;
  /** Undefined: a user's. */
  role: "service" | undefined;
  /** RFC 3339; the token says it in whole seconds. */
  expiresAt: string;
}

/** A user's token that a service with these settings takes (see user-auth.ts). */
export function signToken({ secret, ...rules }: { secret: string } & TokenRules, claims: TokenClaims): Promise<string> {
  const { subject, role, expiresAt } = claims;
  const token = new SignJWT(role === undefined ? {} : { role })
    .setProtectedHeader({ alg: "HS256" })
    .setSubject(subject)
    .setIssuedAt()
    .setExpirationTime(Math.floor(Date.parse(expiresAt) / 1000));
  const [audience] = rules.audience ?? [];
  if (audience !== undefined) token.setAudience(audience);
  if (rules.issuer !== undefined) token.setIssuer(rules.issuer);
  return token.sign(new TextEncoder().encode(secret));
}
