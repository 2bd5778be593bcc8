/** /api/admin/keys */
import { type Context, Hono } from "hono";
import type { Database } from "../../database/database.ts";
import type { AdminEnv } from "../../http/admin-auth.ts";
import { readJson, readOptionalJson } from "../../http/json-body.ts";
import { readQuery } from "../../http/read-query.ts";
import { changeKey, eraseKey, type HashKey, restoreKey, revokeKey } from "../../keys/index.ts";
import { createKeyRequest, listKeysQuery, patchKeyRequest, revokeKeyRequest, searchKeysRequest } from "./contract.ts";
import { createKey } from "./create.ts";
import { importRoute } from "./import-route.ts";
import { keyNotFound, readKey, readKeyId, searchKeys } from "./search.ts";

export function keyRoutes({ database, hashKey }: { database: Database; hashKey: HashKey }): Hono<AdminEnv> {
  const routes = new Hono<AdminEnv>();

  routes.get("/", async (c) => c.json(await searchKeys(database, hashKey, readQuery(c, listKeysQuery))));

  routes.post("/", async (c) =>
    c.json(await createKey(database, hashKey, await readJson(c, createKeyRequest), c.get("operator")), 201),
  );

  routes.post("/search", async (c) =>
    c.json(await searchKeys(database, hashKey, await readJson(c, searchKeysRequest))),
  );

  routes.post("/import", importRoute({ database, hashKey }));

  for (const word of ["/search", "/import"]) routes.all(word, (c) => c.notFound()); // no ids: another method is a 405

  routes.get("/:id", async (c) => c.json(await readKey(database, idOf(c))));

  routes.patch("/:id", async (c) => {
    const { label, expires_at: expiresAt } = await readJson(c, patchKeyRequest);
    const id = idOf(c);
    if (!(await changeKey(database, { id, label, expiresAt }, c.get("operator")))) throw keyNotFound();
    return c.json(await readKey(database, id));
  });

  routes.post("/:id/revoke", async (c) => {
    const { reason } = await readOptionalJson(c, revokeKeyRequest);
    const id = idOf(c);
    if (!(await revokeKey(database, { id, note: reason || null }, c.get("operator")))) throw keyNotFound();
    return c.json(await readKey(database, id));
  });

  routes.post("/:id/restore", async (c) => {
    await restoreKey(database, idOf(c), c.get("operator"));
    return c.json(await readKey(database, idOf(c)));
  });

  routes.delete("/:id", async (c) => {
    if (!(await eraseKey(database, idOf(c), c.get("operator")))) throw keyNotFound();
    return c.json({ success: true });
  });

  return routes;
}

const idOf = (c: Context) => readKeyId(c.req.param("id"));
