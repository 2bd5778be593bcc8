/** GET /api/admin/numbers */
import { Hono } from "hono";
import type { Database } from "../../database/database.ts";
import type { AdminEnv } from "../../http/admin-auth.ts";
import { readQuery } from "../../http/read-query.ts";
import { numbersQuery } from "../contract.ts";
import { createNumbers } from "./read.ts";

export function numbersRoute(database: Database): Hono<AdminEnv> {
  const routes = new Hono<AdminEnv>();
  const readNumbers = createNumbers(database);
  routes.get("/numbers", async (c) => c.json(await readNumbers(readQuery(c, numbersQuery).hours)));
  return routes;
}
