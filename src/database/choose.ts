import type { Config } from "../config.ts";
import type { Logger } from "../log.ts";
import { openEmbedded, type Purpose } from "./embedded/index.ts";
import type { Patience } from "./patience.ts";

export interface ChosenDatabase {
  url: string;
  embedded: boolean;
  stop(): Promise<void>;
}

/** The configured database: DATABASE_URL, or the embedded PostgreSQL in DATA_DIR. */
export async function chooseDatabase(
  config: Config,
  purpose: Purpose,
  log: Logger,
  patience: Patience,
): Promise<ChosenDatabase> {
  if (config.databaseUrl !== undefined) {
    return { url: config.databaseUrl, embedded: false, stop: async () => {} };
  }
  return { embedded: true, ...(await openEmbedded(config.dataDir, purpose, log, patience)) };
}
