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

const UNDEFINED_TABLE = "42P01";
const UNDEFINED_FUNCTION = "42883";

/** Why a look at it failed. The cause of a lane's `unavailable` says more. */
export function whyAway(error: unknown): string {
  const { message, cause, code } = error as { message?: string; cause?: unknown; code?: string };
  if (cause !== undefined) return whyAway(cause);
  if (code === UNDEFINED_TABLE || code === UNDEFINED_FUNCTION) {
    return "it has no tables of Keybeat yet; keybeat migrate makes them";
  }
  return message || code || String(error);
}
