/** POST sign-in, the one route of the admin API that needs no sign-in; POST sign-out and GET me, which need one. */
import { Hono } from "hono";
import { type AdminEnv, checkOrigin, refuse } from "../../http/admin-auth.ts";
import type { ReadAddress } from "../../http/client-address.ts";
import { readJson, readOptionalJson } from "../../http/json-body.ts";
import type { HttpEnv } from "../../http/request-id.ts";
import { giveSignInCookie, takeSignInCookie } from "../../http/sign-in-cookie.ts";
import type { Limit } from "../../limits/limit.ts";
import { signInRequest, signOutRequest } from "./contract.ts";
import { HOLDS_SECONDS, type SignIns } from "./sign-ins.ts";

export function signInRoute(signIns: SignIns, deps: { readAddress: ReadAddress; failures: Limit }): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();
  routes.post("/sign-in", async (c) => {
    c.header("Cache-Control", "no-store");
    const from = deps.readAddress(c);
    deps.failures.admit(from);
    checkOrigin(c);
    const { token } = await readJson(c, signInRequest);
    if (!signIns.isToken(token)) {
      await deps.failures.count(from);
      throw refuse(c);
    }
    const { cookie, csrfToken } = await signIns.begin(from);
    giveSignInCookie(c, cookie, HOLDS_SECONDS);
    return c.json({ success: true, csrf_token: csrfToken });
  });
  return routes;
}

export function signedInRoutes(signIns: SignIns, version: string): Hono<AdminEnv> {
  const routes = new Hono<AdminEnv>();

  routes.post("/sign-out", async (c) => {
    const { everywhere, sign_in } = await readOptionalJson(c, signOutRequest);
    const own = c.get("signedIn")?.name;
    const name = sign_in ?? own;
    // The browser forgets its cookie also if the database is away, and this answers 503: then it holds for its 12 hours.
    if (everywhere || name === own) takeSignInCookie(c);
    if (everywhere) await signIns.end(undefined, c.get("operator"));
    else if (name !== undefined) await signIns.end(name, c.get("operator"));
    return c.json({ success: true });
  });

  routes.get("/me", (c) => {
    const csrf_token = c.get("signedIn")?.csrfToken;
    return c.json({
      signed_in: true,
      by: csrf_token === undefined ? "token" : "page",
      ...(csrf_token !== undefined && { csrf_token }),
      version,
    });
  });

  return routes;
}
