/**
 * Admits only the operator: by `Authorization: Bearer <token>`, by `X-Admin-Password` as older scripts send it, or by
 * the page's cookie; because a browser sends a cookie by itself, a change then also needs the anti-CSRF token.
 */
import type { Context, MiddlewareHandler } from "hono";
import type { Operator } from "../audit/operator.ts";
import { AppError } from "../errors.ts";
import type { Limit } from "../limits/limit.ts";
import { createTokenCheck, readBearer, unauthorized } from "./bearer.ts";
import type { ReadAddress } from "./client-address.ts";
import { anotherSite, isOwnOrigin, isReading } from "./cross-origin.ts";
import type { HttpEnv } from "./request-id.ts";
import { readSignInCookie } from "./sign-in-cookie.ts";

export interface AdminEnv {
  Variables: HttpEnv["Variables"] & {
    operator: Operator;
    /** Only with the page's cookie. */
    signedIn: SignedIn | undefined;
  };
}

/** A valid sign-in. */
export interface SignedIn {
  /** A name by which people tell sign-ins apart. */
  name: string;
  csrfToken: string;
  /** When it began, in milliseconds since 1970. */
  since: number;
}

/** Which of these were ended, by name. Throws `unavailable`. */
export type FindEndedSignIns = (signIns: SignedIn[]) => Promise<Set<string>>;

/** Operators choose their token, and it may contain blanks. */
const OPERATORS_FORM = /./;

/** Neither changes anything, and the page must be able to say that the database is away. */
const WITHOUT_DATABASE = new Set(["/api/admin/me", "/api/admin/events"]);

export function adminAuth(deps: {
  signIns: {
    isToken(given: string): boolean;
    read(cookie: string | undefined): SignedIn | "forged" | undefined;
    findEnded: FindEndedSignIns;
  };
  readAddress: ReadAddress;
  /** Counts wrong tokens. */
  failures: Limit;
}): MiddlewareHandler<AdminEnv> {
  const { signIns, failures } = deps;

  const hasEnded = async (c: Context, signedIn: SignedIn): Promise<boolean> => {
    try {
      return (await signIns.findEnded([signedIn])).has(signedIn.name);
    } catch (error) {
      if (isReading(c.req.method) && WITHOUT_DATABASE.has(c.req.path)) return false;
      throw error;
    }
  };

  return async (c, next) => {
    c.header("Cache-Control", "no-store");
    const from = deps.readAddress(c);
    const given = readBearer(c, OPERATORS_FORM) ?? c.req.header("x-admin-password");
    const signedIn = given === undefined ? signIns.read(readSignInCookie(c)) : undefined;
    if (given !== undefined || signedIn !== undefined) failures.admit(from);
    if (given !== undefined && signIns.isToken(given)) {
      c.set("operator", { who: "token", from });
    } else if (given !== undefined || signedIn === undefined || signedIn === "forged") {
      if (given !== undefined || signedIn === "forged") await failures.count(from);
      throw refuse(c);
    } else {
      if (!isReading(c.req.method)) checkIntent(c, signedIn.csrfToken);
      if (await hasEnded(c, signedIn)) throw refuse(c);
      c.set("operator", { who: `page ${signedIn.name}`, from });
      c.set("signedIn", signedIn);
    }
    await next();
  };
}

export function refuse(c: Context): AppError {
  return unauthorized(c, "keybeat admin", "The admin token is missing or wrong");
}

/** Throws csrf_failed if a page of another site is asking. */
export function checkOrigin(c: Context): void {
  const origin = c.req.header("origin");
  if (origin !== undefined && !isOwnOrigin(c, origin)) throw anotherSite();
}

function checkIntent(c: Context, csrfToken: string): void {
  checkOrigin(c);
  const sent = c.req.header("x-csrf-token");
  if (sent === undefined || !createTokenCheck(csrfToken)(sent)) {
    throw new AppError("csrf_failed", "The X-CSRF-Token header is missing or wrong: please load the page again");
  }
}
