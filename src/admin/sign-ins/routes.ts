/** POST sign-in, the one route of the admin API that needs no sign-in, and POST sign-out. */
import { Hono } from "hono";
import type { Database } from "../../database/database.ts";
import { type AdminEnv, checkOrigin, refuse } from "../../http/admin-auth.ts";
import type { ReadAddress } from "../../http/client-address.ts";
import { readJson, readOptionalJson } from "../../http/json-body.ts";
import type { HttpEnv } from "../../http/request-id.ts";
import type { Limit } from "../../limits/limit.ts";
import { signInRequest, signOutRequest } from "./contract.ts";
import { type SignIns, takeCookie } from "./sign-ins.ts";
import { endSignIns } from "./sql.ts";

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
    return c.json({ success: true, csrf_token: await signIns.begin(c, from) });
  });
  return routes;
}

export function signOutRoute(database: Database): Hono<AdminEnv> {
  const routes = new Hono<AdminEnv>();
  routes.post("/sign-out", async (c) => {
    const { everywhere, sign_in } = await readOptionalJson(c, signOutRequest);
    const own = c.get("signedIn")?.name;
    const name = sign_in ?? own;
    // The browser forgets its cookie also if the database is away, and this answers 503: then it holds for its 12 hours.
    if (everywhere || name === own) takeCookie(c);
    if (everywhere) await endSignIns(database, undefined, c.get("operator"));
    else if (name !== undefined) await endSignIns(database, name, c.get("operator"));
    return c.json({ success: true });
  });
  return routes;
}
