/** /api/session/…, what the page for a key's owner calls: parse, call the verb, reply. */
import { Hono } from "hono";
import type { ReadAddress } from "../../http/client-address.ts";
import { readJson } from "../../http/json-body.ts";
import type { HttpEnv } from "../../http/request-id.ts";
import { historyRequest, signOutRequest } from "./contract.ts";
import type { DeviceSessions } from "./deps.ts";
import { readHistory } from "./history.ts";
import { signOut } from "./sign-out.ts";

const NO_STORE = { "Cache-Control": "no-store" };

export function ownerRoutes(service: DeviceSessions & { readAddress: ReadAddress }): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();

  routes.post("/sign-out", async (c) => {
    const request = await readJson(c, signOutRequest);
    return c.json({ success: await signOut(service, request, () => service.readAddress(c)) }, 200, NO_STORE);
  });

  routes.post("/history", async (c) => {
    const request = await readJson(c, historyRequest);
    return c.json(await readHistory(service, request, () => service.readAddress(c)), 200, NO_STORE);
  });

  return routes;
}
