/** Who asks where players and services do: by the token that each of their calls carries. */
import type { Context } from "hono";
import { z } from "zod";
import type { HttpEnv } from "./request-id.ts";
import { badToken, createTokenReader, type VerifyToken } from "./user-auth.ts";

export interface Caller {
  /** The token's `sub`; a UUID in lower case. */
  subject: string;
  /** Undefined: a service whose `sub` is no player. */
  playerId: string | undefined;
  /** It may do everything for everybody. */
  isService: boolean;
}

/** Throws unauthorized without a valid token, unavailable if the keys cannot be had. */
export type ReadCaller = (c: Context<HttpEnv>) => Promise<Caller>;

export function createCallerReader(verify: VerifyToken, realm: string): ReadCaller {
  const readToken = createTokenReader(verify, realm);
  return async (c) => {
    const { subject, claims } = await readToken(c);
    const isService = [claims.role, claims.roles, claims.scope].some(namesService);
    const playerId = z.guid().safeParse(subject).data?.toLowerCase();
    if (playerId === undefined && !isService) throw badToken(c, realm);
    return { subject: playerId ?? subject, playerId, isService };
  };
}

/** A word, several with blanks between, or a list. */
function namesService(claim: unknown): boolean {
  const words = Array.isArray(claim) ? claim : typeof claim === "string" ? claim.split(" ") : [];
  return words.includes("service");
}
