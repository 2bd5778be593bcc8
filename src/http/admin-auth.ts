/**
 * Lets only the operator pass: `Authorization: Bearer <token>` or, as older scripts send it, `X-Admin-Password`; or the
 * cookie of the page, which a browser sends by itself: then a change needs the token against cross-site requests too.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Context, MiddlewareHandler } from "hono";
import type { Operator } from "../database/operator.ts";
import { AppError } from "../errors.ts";
import type { CountAgainst } from "../limits/limit.ts";
import type { ReadAddress } from "./client-address.ts";
import type { HttpEnv } from "./request-id.ts";

export interface AdminEnv {
  Variables: HttpEnv["Variables"] & {
    operator: Operator;
    /** Only of the page's cookie. */
    csrfToken: string | undefined;
  };
}

/** A sign-in that holds. */
export interface SignedIn {
  /** Tells one sign-in from another, to people. */
  name: string;
  csrfToken: string;
}

export function adminAuth(deps: {
  isToken(given: string): boolean;
  readAddress: ReadAddress;
  /** Counts a wrong token. */
  countFailure: CountAgainst;
  /** The sign-in of the request's cookie. */
  readSignIn(c: Context): SignedIn | undefined;
}): MiddlewareHandler<AdminEnv> {
  return async (c, next) => {
    c.header("Cache-Control", "no-store");
    const from = deps.readAddress(c);
    const bearer = /^Bearer\s+(\S.*)$/i.exec(c.req.header("authorization") ?? "")?.[1];
    const given = bearer ?? c.req.header("x-admin-password");
    const signedIn = given === undefined ? deps.readSignIn(c) : undefined;
    if (signedIn) {
      if (!isReading(c.req.method)) checkIntent(c, signedIn.csrfToken);
      c.set("operator", { who: `page ${signedIn.name}`, from });
      c.set("csrfToken", signedIn.csrfToken);
    } else if (given !== undefined && deps.isToken(given)) {
      c.set("operator", { who: "token", from });
    } else {
      if (given !== undefined) await deps.countFailure(from);
      throw refuse(c);
    }
    await next();
  };
}

export function refuse(c: Context): AppError {
  c.header("WWW-Authenticate", 'Bearer realm="keybeat admin"');
  return new AppError("unauthorized", "The admin token is missing or wrong");
}

/** Throws csrf_failed if another site's page asks. No other site can set one of these headers without being asked back. */
export function checkOrigin(c: Context): void {
  const origin = c.req.header("origin");
  if (origin === undefined) return;
  const hosts = [c.req.header("host"), c.req.header("x-forwarded-host"), new URL(c.req.url).host];
  if (!URL.canParse(origin) || !hosts.includes(new URL(origin).host)) {
    throw new AppError("csrf_failed", "This request comes from another site");
  }
}

/** Digests have one length, so the comparison takes one time whatever was sent. */
export function createTokenCheck(token: string): (given: string) => boolean {
  const expected = digest(token);
  return (given) => timingSafeEqual(digest(given), expected);
}

function checkIntent(c: Context, csrfToken: string): void {
  checkOrigin(c);
  const sent = c.req.header("x-csrf-token");
  if (sent === undefined || !timingSafeEqual(digest(sent), digest(csrfToken))) {
    throw new AppError("csrf_failed", "The X-CSRF-Token header is missing or wrong: please load the page again");
  }
}

const isReading = (method: string) => method === "GET" || method === "HEAD";
const digest = (text: string) => createHash("sha256").update(text, "utf8").digest();
