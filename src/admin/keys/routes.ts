/** /api/admin/keys */
import { type Context, Hono } from "hono";
import type { Operator } from "../../audit/operator.ts";
import type { Database } from "../../database/database.ts";
import { AppError } from "../../errors.ts";
import type { AdminEnv } from "../../http/admin-auth.ts";
import { readJson, readOptionalJson } from "../../http/json-body.ts";
import { readQuery } from "../../http/read-query.ts";
import {
  addKey,
  eraseKeyRow,
  type HashKey,
  maskKey,
  patchKeyRow,
  restoreKeyRow,
  revokeKeyRow,
} from "../../keys/index.ts";
import { pageQuery } from "../contract.ts";
import { listHistory } from "../device/history.ts";
import {
  type CreateKeyRequest,
  createKeyRequest,
  keyId,
  listKeysQuery,
  patchKeyRequest,
  revokeKeyRequest,
  searchKeysRequest,
} from "./contract.ts";
import { keyImport } from "./import-route.ts";
import { keyNotFound, readKey, searchKeys } from "./search.ts";

const DAY_MS = 86_400_000;

export function keyRoutes({ database, hashKey }: { database: Database; hashKey: HashKey }): Hono<AdminEnv> {
  const routes = new Hono<AdminEnv>();

  routes.get("/", async (c) => c.json(await searchKeys(database, hashKey, readQuery(c, listKeysQuery))));

  routes.post("/", async (c) => {
    const wanted = await readJson(c, createKeyRequest);
    return c.json(await create({ database, hashKey }, wanted, c.get("operator")), 201);
  });

  routes.post("/search", async (c) =>
    c.json(await searchKeys(database, hashKey, await readJson(c, searchKeysRequest))),
  );

  routes.post("/import", keyImport({ database, hashKey }));

  for (const word of ["/search", "/import"]) routes.all(word, (c) => c.notFound()); // no ids: another method is a 405

  routes.get("/:id", async (c) => c.json(await readKey(database, idOf(c))));

  routes.get("/:id/history", async (c) => {
    const { id } = await readKey(database, idOf(c));
    return c.json(await listHistory(database, id, readQuery(c, pageQuery)));
  });

  routes.patch("/:id", async (c) => {
    const { label, expires_at } = await readJson(c, patchKeyRequest);
    const patch = { label: label === "" ? null : label, expiresAt: expires_at };
    if (!(await patchKeyRow(database, idOf(c), patch, c.get("operator")))) throw keyNotFound();
    return c.json(await readKey(database, idOf(c)));
  });

  routes.post("/:id/revoke", async (c) => {
    const { reason } = await readOptionalJson(c, revokeKeyRequest);
    const { known } = await revokeKeyRow(database, idOf(c), reason || null, c.get("operator"));
    if (!known) throw keyNotFound();
    return c.json(await readKey(database, idOf(c)));
  });

  routes.post("/:id/restore", async (c) => {
    await restoreKeyRow(database, idOf(c), c.get("operator"));
    return c.json(await readKey(database, idOf(c)));
  });

  routes.delete("/:id", async (c) => {
    if (!(await eraseKeyRow(database, idOf(c), c.get("operator")))) throw keyNotFound();
    return c.json({ success: true });
  });

  return routes;
}

async function create(deps: { database: Database; hashKey: HashKey }, wanted: CreateKeyRequest, by: Operator) {
  const days = wanted.expires_in_days;
  const added = await addKey(
    deps.database,
    deps.hashKey,
    {
      key: wanted.access_key,
      label: wanted.label || null,
      expiresAt: days === undefined ? (wanted.expires_at ?? null) : new Date(Date.now() + days * DAY_MS).toISOString(),
    },
    by,
  );
  if (!added) throw new AppError("key_exists", "That key exists already");
  const { id, access_key, label, expires_at, createdAt } = added;
  return {
    id,
    access_key,
    access_key_masked: maskKey(access_key),
    label,
    created_at: createdAt.toISOString(),
    expires_at: expires_at && new Date(expires_at).toISOString(),
  };
}

/** What is no id is no key either. */
function idOf(c: Context): number {
  const id = keyId.safeParse(c.req.param("id"));
  if (!id.success) throw keyNotFound();
  return id.data;
}
