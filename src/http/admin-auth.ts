/**
 * Lets only the operator pass: `Authorization: Bearer <token>` or, as older scripts send it, `X-Admin-Password`; or the
 * cookie of the page, which a browser sends by itself: then a change needs the token against cross-site requests too.
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
    /** Only of the page's cookie. */
    signedIn: SignedIn | undefined;
  };
}

/** A sign-in that holds. */
export interface SignedIn {
  /** Tells one sign-in from another, to people. */
  name: string;
  csrfToken: string;
  /** When it began, in milliseconds since 1970. */
  since: number;
}

/** The names of those that were ended. Throws `unavailable`. */
export type FindEndedSignIns = (signIns: SignedIn[]) => Promise<Set<string>>;

/** Operators choose their token, and may choose one with blanks in it. */
const OPERATORS_FORM = /./;

/** What says that the database is away must be had while it is. Neither changes anything. */
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

/** Throws csrf_failed if another site's page asks. */
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
