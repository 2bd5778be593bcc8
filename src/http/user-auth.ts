/**
 * Who the user is, for any kind of session that asks. Without tokens the id in the request is believed (a gateway in
 * front knows). With them a bearer token says it in `sub`, signed with a shared secret (HS256) or a key of a published
 * set. It must expire and, if the settings say so, be meant for us (`audience`) and come from an accepted `issuer`.
 */
import type { Context } from "hono";
import { errors, type JWTPayload, type JWTVerifyGetKey, type JWTVerifyOptions, jwtVerify } from "jose";
import { AppError, unavailable } from "../errors.ts";
import { readBearer, unauthorized } from "./bearer.ts";
import { fetchKeys } from "./published-keys.ts";
import type { HttpEnv } from "./request-id.ts";

export type TokenOptions = ({ secret: string } | { jwksUrl: string }) & TokenRules;

export interface TokenRules {
  /** One of them must be the token's `aud`; undefined: not checked. */
  audience?: readonly string[] | undefined;
  issuer?: string | undefined;
}

/** The contents of a valid token. */
export interface UserToken {
  subject: string;
  claims: JWTPayload;
}

/** Returns a token's contents, or undefined if it is not valid. Throws `unavailable` if the keys cannot be had. */
export type VerifyToken = (token: string) => Promise<UserToken | undefined>;

export interface UserAuth {
  /** As readUser; throws forbidden for somebody else's token. */
  expectUser(c: Context<HttpEnv>, userId: string): Promise<UserToken | undefined>;
  /** Undefined if no token is required. Throws unauthorized without a valid one. */
  readUser(c: Context<HttpEnv>): Promise<UserToken | undefined>;
}

/** Public-key algorithms only: neither `none`, nor a shared secret, for which a public key could be mistaken. */
const PUBLIC_KEY_ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
];
const CLOCK_TOLERANCE_SECONDS = 30;

/** `verify` undefined: no token is required. `realm` tells a refused caller what the token is for. */
export function createUserAuth(verify: VerifyToken | undefined, realm: string): UserAuth {
  if (verify === undefined) return { expectUser: async () => undefined, readUser: async () => undefined };
  const readToken = createTokenReader(verify, realm);
  return {
    readUser: readToken,
    async expectUser(c, userId) {
      const token = await readToken(c);
      if (token.subject !== userId) throw new AppError("forbidden", "This token belongs to another user");
      return token;
    },
  };
}

/** Reads a request's token. Throws unauthorized for any that is not valid, unavailable if the keys cannot be had. */
export function createTokenReader(verify: VerifyToken, realm: string): (c: Context<HttpEnv>) => Promise<UserToken> {
  return async (c) => {
    const sent = readBearer(c);
    const token = sent === undefined ? undefined : await verify(sent);
    if (token !== undefined) return token;
    throw badToken(c, realm);
  };
}

export const badToken = (c: Context, realm: string) =>
  unauthorized(c, realm, "Please send a valid token, as Authorization: Bearer <token>");

export function createVerifyToken(options: TokenOptions): VerifyToken {
  const shared = "secret" in options;
  const secret = shared ? new TextEncoder().encode(options.secret) : undefined;
  const published = shared ? undefined : fetchKeys(new URL(options.jwksUrl));
  const key: JWTVerifyGetKey = async (header, token) => secret ?? (published as JWTVerifyGetKey)(header, token);
  const rules: JWTVerifyOptions = {
    algorithms: shared ? ["HS256"] : PUBLIC_KEY_ALGORITHMS,
    clockTolerance: CLOCK_TOLERANCE_SECONDS,
    requiredClaims: ["exp"],
    ...(options.audience && { audience: [...options.audience] }),
    ...(options.issuer !== undefined && { issuer: options.issuer }),
  };
  return async (token) => {
    try {
      const claims = await verifyClaims(token, key, rules);
      return typeof claims?.sub === "string" && claims.sub !== "" ? { subject: claims.sub, claims } : undefined;
    } catch (error) {
      const code = String((error as { code?: unknown }).code ?? "");
      // Only these mean a bad token; anything else (a timeout, a refused connection) is trouble with the keys.
      if (/^ERR_(JWT|JWS|JOSE_ALG|JOSE_NOT|JWKS_NO_MATCHING)/.test(code)) return undefined;
      throw unavailable(error);
    }
  };
}

/** Tries a token that does not name its key against every key that fits. */
async function verifyClaims(
  token: string,
  key: JWTVerifyGetKey,
  rules: JWTVerifyOptions,
): Promise<JWTPayload | undefined> {
  try {
    return (await jwtVerify(token, key, rules)).payload;
  } catch (several) {
    if (!(several instanceof errors.JWKSMultipleMatchingKeys)) throw several;
    for await (const one of several) {
      const verified = await jwtVerify(token, one, rules).catch((error) => {
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
      });
      if (verified) return verified.payload;
    }
    return undefined;
  }
}
