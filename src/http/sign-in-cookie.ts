/** The cookie in which a browser keeps the page's sign-in. */
import type { Context } from "hono";
import { getCookie } from "hono/cookie";
import { serialize } from "hono/utils/cookie";

export const readSignInCookie = (c: Context): string | undefined => getCookie(c, nameOf(c));

/** The browser forgets it. */
export const takeSignInCookie = (c: Context) => giveSignInCookie(c, "", 0);

/**
 * Without a path of its own a cookie is for the folder of the request that sets it, as the browser sees it: /api/admin,
 * also behind a proxy that puts a path before it; no other program of this host name is sent it.
 */
export function giveSignInCookie(c: Context, value: string, maxAge: number): void {
  const options = { httpOnly: true, sameSite: "Strict", secure: isHttps(c), maxAge } as const;
  c.header("Set-Cookie", serialize(nameOf(c), value, options), { append: true });
}

/** With this prefix a browser takes it by https alone, so no page of the network in between can plant one. */
const nameOf = (c: Context) => (isHttps(c) ? "__Secure-keybeat_admin" : "keybeat_admin");

/** A proxy in front says how it was asked; whoever lies here only hampers himself. */
function isHttps(c: Context): boolean {
  return new URL(c.req.url).protocol === "https:" || c.req.header("x-forwarded-proto") === "https";
}
