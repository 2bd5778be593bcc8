/** The database for commands that only look. None of them starts an embedded one. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "../config.ts";

export type Target = { url: string; embedded: boolean } | { missing: string };

/** DATABASE_URL, or the address left in DATA_DIR by the last `serve`. */
export async function findTarget(config: Config): Promise<Target> {
  if (config.databaseUrl !== undefined) return { url: config.databaseUrl, embedded: false };
  const file = join(config.dataDir, "database-url");
  const url = (await readFile(file, "utf8").catch(() => "")).trim();
  if (url !== "") return { url, embedded: true };
  return { missing: `no embedded PostgreSQL in ${config.dataDir} yet; keybeat serve makes one` };
}
