/**
 * The page's sign-ins: a cookie signed by a key made from the admin token, so it holds in any process, also while the
 * database is away, and a changed token ends every sign-in. It holds for 12 hours; one that is ended before stands in
 * the database until then.
 *
 *   signed in ─┬─► signed out (this one, one by name, or all until now)
 *              └─► over after 12 hours
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Context } from "hono";
import { getCookie } from "hono/cookie";
import { serialize } from "hono/utils/cookie";
import type { Database } from "../../database/database.ts";
import { createTokenCheck, type SignedIn } from "../../http/admin-auth.ts";
import { insertSignIn, selectEndedSignIns } from "./sql.ts";

const HOLDS_SECONDS = 12 * 3600;

export interface SignIns {
  isToken(given: string): boolean;
  /** The sign-in of the request's cookie; undefined where there is none, or its time is over. */
  read(c: Context): SignedIn | "forged" | undefined;
  /** Those that were ended. Throws `unavailable`. */
  findEnded(signIns: SignedIn[]): Promise<Set<string>>;
  /** Gives the browser a cookie. Returns the token that goes with it. */
  begin(c: Context, from: string | null): Promise<string>;
}

export function createSignIns(database: Database, adminToken: string): SignIns {
  const key = createHmac("sha256", adminToken).update("keybeat page sign-in").digest();
  const sign = (text: string) => createHmac("sha256", key).update(text).digest("base64url");
  const csrfTokenOf = (payload: string) => sign(`csrf ${payload}`);

  return {
    isToken: createTokenCheck(adminToken),

    read(c) {
      const cookie = getCookie(c, nameOf(c));
      if (cookie === undefined) return undefined;
      const [name = "", until = "", signature = ""] = cookie.split(".");
      const payload = `${name}.${until}`;
      const expected = Buffer.from(sign(payload));
      const given = Buffer.from(signature);
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) return "forged";
      if (Number(until) <= Date.now()) return undefined;
      return { name, csrfToken: csrfTokenOf(payload), since: Number(until) - HOLDS_SECONDS * 1000 };
    },

    findEnded: (signIns) => selectEndedSignIns(database, signIns),

    async begin(c, from) {
      const name = randomBytes(4).toString("hex");
      // The page says while the database is away that it is away: for that, too, somebody must be able to sign in.
      const since = await insertSignIn(database, { who: `page ${name}`, from }).catch(() => Date.now());
      const payload = `${name}.${since + HOLDS_SECONDS * 1000}`;
      giveCookie(c, `${payload}.${sign(payload)}`, HOLDS_SECONDS);
      return csrfTokenOf(payload);
    },
  };
}

/** The browser forgets the cookie. */
export const takeCookie = (c: Context) => giveCookie(c, "", 0);

/**
 * Without a path of its own a cookie is for the folder of the request that sets it, as the browser sees it: /api/admin,
 * also behind a proxy that puts a path before it; no other program of this host name is sent it.
 */
function giveCookie(c: Context, value: string, maxAge: number): void {
  const options = { httpOnly: true, sameSite: "Strict", secure: isHttps(c), maxAge } as const;
  c.header("Set-Cookie", serialize(nameOf(c), value, options), { append: true });
}

/** With this prefix a browser takes it by https alone, so no page of the network in between can plant one. */
const nameOf = (c: Context) => (isHttps(c) ? "__Secure-keybeat_admin" : "keybeat_admin");

/** A proxy in front says how it was asked; whoever lies here only hampers himself. */
function isHttps(c: Context): boolean {
  return new URL(c.req.url).protocol === "https:" || c.req.header("x-forwarded-proto") === "https";
}
