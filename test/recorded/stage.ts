/** Sets the stage for a recorded story: two processes of a release on one database, and the keys of the story. */

import postgres from "postgres";
import { openDatabase } from "../../src/database/database.ts";
import { createHashKey, createKey } from "../../src/keys/index.ts";
import { BY } from "../support/operator.ts";
import { startProxy } from "../support/proxy.ts";
import { newNames, type Stage } from "./play.ts";

const TOKEN = "the-token-of-the-recorded-story";

/** `serve` starts a process of the release with these settings and returns its address and how to stop it. */
export async function setStage(
  databaseUrl: string,
  serve: (env: Record<string, string>) => Promise<{ url: string; stop(): Promise<unknown> }>,
): Promise<Stage & { clear(): Promise<void> }> {
  const proxy = await startProxy(databaseUrl);
  const env = { CLEANUP_CRON: "", LOG_LEVEL: "silent" };
  const [server, withoutAdmin] = await Promise.all([
    serve({ ...env, DATABASE_URL: proxy.url, ADMIN_TOKEN: TOKEN }),
    serve({ ...env, DATABASE_URL: databaseUrl }),
  ]);
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  const names = { ...newNames(), token: TOKEN };
  await makeKeys(databaseUrl, sql, names);
  return {
    url: server.url,
    urlWithoutAdmin: withoutAdmin.url,
    sql,
    proxy,
    names,
    async clear() {
      await Promise.all([server.stop(), withoutAdmin.stop()]);
      await sql.end({ timeout: 1 });
      await proxy.close();
    },
  };
}

async function makeKeys(databaseUrl: string, sql: postgres.Sql, names: Record<string, string>): Promise<void> {
  const database = openDatabase(databaseUrl);
  const hashKey = createHashKey(undefined);
  for (const [name, key] of Object.entries(names)) {
    if (!name.startsWith("key_") || name === "key_new") continue;
    const { id } = await createKey(database, hashKey, { key }, BY);
    if (name === "key_expired") await sql`UPDATE keys SET expires_at = now() - interval '1 day' WHERE id = ${id}`;
    if (name === "key_revoked") await sql`UPDATE keys SET revoked_at = now() WHERE id = ${id}`;
  }
  await database.close();
}
