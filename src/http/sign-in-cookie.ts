/** The cookie in which a browser keeps the page's sign-in. */
import type { Context } from "hono";
import { getCookie } from "hono/cookie";
import { serialize } from "hono/utils/cookie";

export const readSignInCookie = (c: Context): string | undefined => getCookie(c, nameOf(c));

/** Makes the browser forget it. */
export const takeSignInCookie = (c: Context) => giveSignInCookie(c, "", 0);

/**
 * Without an explicit path a cookie belongs to the directory of the request that sets it, as the browser sees it:
 * /api/admin, even behind a proxy that prefixes the path. No other program on this host name receives it.
 */
export function giveSignInCookie(c: Context, value: string, maxAge: number): void {
  const options = { httpOnly: true, sameSite: "Strict", secure: isHttps(c), maxAge } as const;
  c.header("Set-Cookie", serialize(nameOf(c), value, options), { append: true });
}

/** Browsers accept this prefix only over https, so nobody on the network can plant such a cookie. */
const nameOf = (c: Context) => (isHttps(c) ? "__Secure-keybeat_admin" : "keybeat_admin");

/** A proxy in front reports the scheme; a caller that lies only harms itself. */
function isHttps(c: Context): boolean {
  return new URL(c.req.url).protocol === "https:" || c.req.header("x-forwarded-proto") === "https";
}
