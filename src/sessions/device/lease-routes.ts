/** /api/session/lease and lease/return: parse, call the verb, reply. */
import { Hono } from "hono";
import { readJson } from "../../http/json-body.ts";
import type { HttpEnv } from "../../http/request-id.ts";
import { TRUSTS } from "../../trust/signing.ts";
import { leaseRequest, returnLeaseRequest } from "./contract.ts";
import type { DeviceSessions } from "./deps.ts";
import { type Leasing, takeLease } from "./lease.ts";
import { returnLease } from "./lease-return.ts";
import { notLive } from "./refusal.ts";

export function leaseRoutes(service: DeviceSessions & Leasing): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();

  routes.post("/", async (c) => {
    const request = await readJson(c, leaseRequest);
    const outcome = await takeLease(service, request, c.req.header(TRUSTS));
    if (outcome.live) return c.json(outcome.reply);
    throw notLive(outcome.ending, request.proof !== undefined);
  });

  routes.post("/return", async (c) => {
    const { lease } = await readJson(c, returnLeaseRequest);
    return c.json({ success: await returnLease(service, lease) });
  });

  return routes;
}
