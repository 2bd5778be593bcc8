/**
 * The page's sign-in: a cookie that the service can check without keeping anything, in any process. It is signed by a
 * key made from the admin token, so a changed token ends every sign-in; until then it holds for 12 hours.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { type Context, Hono } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import type { Database } from "../database/database.ts";
import { checkOrigin, createTokenCheck, refuse, type SignedIn } from "../http/admin-auth.ts";
import type { ReadAddress } from "../http/client-address.ts";
import { readJson } from "../http/json-body.ts";
import type { HttpEnv } from "../http/request-id.ts";
import type { CountAgainst } from "../limits/limit.ts";
import { insertAudit } from "./audit/sql.ts";
import { signInRequest } from "./contract.ts";

const COOKIE = "keybeat_admin";
const HOLDS_SECONDS = 12 * 3600;

export interface SignIns {
  isToken(given: string): boolean;
  readSignIn(c: Context): SignedIn | undefined;
  /** POST /sign-in, the one route that needs none. */
  routes(deps: { database: Database; readAddress: ReadAddress; countFailure: CountAgainst }): Hono<HttpEnv>;
}

export function createSignIns(adminToken: string): SignIns {
  const key = createHmac("sha256", adminToken).update("keybeat page sign-in").digest();
  const sign = (text: string) => createHmac("sha256", key).update(text).digest("base64url");
  const csrfTokenOf = (payload: string) => sign(`csrf ${payload}`);
  const isToken = createTokenCheck(adminToken);

  return {
    isToken,

    readSignIn(c) {
      const [name = "", until = "", signature = ""] = getCookie(c, COOKIE)?.split(".") ?? [];
      const payload = `${name}.${until}`;
      const expected = Buffer.from(sign(payload));
      const given = Buffer.from(signature);
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
      return Number(until) > Date.now() ? { name, csrfToken: csrfTokenOf(payload) } : undefined;
    },

    routes({ database, readAddress, countFailure }) {
      const routes = new Hono<HttpEnv>();
      routes.post("/sign-in", async (c) => {
        c.header("Cache-Control", "no-store");
        checkOrigin(c);
        const { token } = await readJson(c, signInRequest);
        if (!isToken(token)) {
          await countFailure(readAddress(c));
          throw refuse(c);
        }
        const name = randomBytes(4).toString("hex");
        const payload = `${name}.${Date.now() + HOLDS_SECONDS * 1000}`;
        const by = { who: `page ${name}`, from: readAddress(c) };
        // The page says while the database is away that it is away: for that, too, somebody must be able to sign in.
        await insertAudit(database, { by, action: "signed_in" }).catch(() => {});
        setCookie(c, COOKIE, `${payload}.${sign(payload)}`, { ...cookieOptions(c), maxAge: HOLDS_SECONDS });
        return c.json({ success: true, csrf_token: csrfTokenOf(payload) });
      });
      return routes;
    },
  };
}

/** The browser forgets the cookie. */
export function signOut(c: Context): void {
  setCookie(c, COOKIE, "", { ...cookieOptions(c), maxAge: 0 });
}

function cookieOptions(c: Context) {
  // A proxy in front says how it was asked; whoever lies here only hampers himself.
  const https = new URL(c.req.url).protocol === "https:" || c.req.header("x-forwarded-proto") === "https";
  return { path: "/", httpOnly: true, sameSite: "Strict", secure: https } as const;
}
