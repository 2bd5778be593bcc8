/**
 * Who a user is. `none`: the id in the request is believed (a gateway before us knows). `jwt`: a bearer token says it in
 * `sub`, signed with a shared secret (HS256) or with a key of a published set.
 */
import type { Context } from "hono";
import { createRemoteJWKSet, errors, type JWTVerifyGetKey, type JWTVerifyOptions, jwtVerify } from "jose";
import { AppError, unavailable } from "../errors.ts";
import type { HttpEnv } from "./request-id.ts";

export type UserAuthOptions = { kind: "none" } | { kind: "jwt"; secret: string } | { kind: "jwt"; jwksUrl: string };

export interface UserAuth {
  /** Throws unauthorized without a good token, forbidden with somebody else's. */
  expectUser(c: Context<HttpEnv>, userId: string): Promise<void>;
  /** Undefined where nobody asks for a token. Throws unauthorized. */
  readUser(c: Context<HttpEnv>): Promise<string | undefined>;
}

/** The algorithms of public keys; `none`, and a public key taken for a shared secret, are not among them. */
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

export function createUserAuth(options: UserAuthOptions): UserAuth {
  if (options.kind === "none") return { expectUser: async () => {}, readUser: async () => undefined };
  const verify = createVerify(options);

  const readUser = async (c: Context<HttpEnv>): Promise<string> => {
    const token = /^Bearer\s+(\S+)$/i.exec(c.req.header("authorization") ?? "")?.[1];
    const subject = token === undefined ? undefined : await verify(token);
    if (subject !== undefined) return subject;
    c.header("WWW-Authenticate", 'Bearer realm="keybeat waiting room"');
    throw new AppError("unauthorized", "Please send a valid token, as Authorization: Bearer <token>");
  };
  return {
    readUser,
    async expectUser(c, userId) {
      if ((await readUser(c)) !== userId) throw new AppError("forbidden", "This token belongs to another user");
    },
  };
}

/** Gives the token's subject, undefined for one that is not good. Throws unavailable where the keys cannot be had. */
function createVerify(
  options: { secret: string } | { jwksUrl: string },
): (token: string) => Promise<string | undefined> {
  const shared = "secret" in options;
  const secret = shared ? new TextEncoder().encode(options.secret) : undefined;
  const published = shared ? undefined : createRemoteJWKSet(new URL(options.jwksUrl), { timeoutDuration: 2_000 });
  const key: JWTVerifyGetKey = async (header, token) => secret ?? (published as JWTVerifyGetKey)(header, token);
  const rules = {
    algorithms: shared ? ["HS256"] : PUBLIC_KEY_ALGORITHMS,
    clockTolerance: CLOCK_TOLERANCE_SECONDS,
  };
  return async (token) => {
    try {
      return await verifySubject(token, key, rules);
    } catch (error) {
      const code = String((error as { code?: unknown }).code ?? "");
      // Only these say that the token is bad; anything else (a timeout, a refused connection) is trouble with the keys.
      if (/^ERR_(JWT|JWS|JOSE_ALG|JOSE_NOT|JWKS_NO_MATCHING)/.test(code)) return undefined;
      throw unavailable(error);
    }
  };
}

/** A token that does not say which key it is of is tried with every key that it may be of. */
async function verifySubject(
  token: string,
  key: JWTVerifyGetKey,
  rules: JWTVerifyOptions,
): Promise<string | undefined> {
  try {
    return (await jwtVerify(token, key, rules)).payload.sub;
  } catch (several) {
    if (!(several instanceof errors.JWKSMultipleMatchingKeys)) throw several;
    for await (const one of several) {
      const verified = await jwtVerify(token, one, rules).catch((error) => {
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
      });
      if (verified) return verified.payload.sub;
    }
    return undefined;
  }
}
