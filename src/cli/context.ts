/** What most commands need: the settings and an open database, closed again whatever happens. */
import { type Config, readConfig } from "../config.ts";
import { chooseDatabase } from "../database/choose.ts";
import { type Database, openDatabase } from "../database/database.ts";
import { migrateDatabase } from "../database/migrate.ts";
import { createHashKey, expectPepper, type HashKey } from "../keys/index.ts";
import { createLog, type Logger } from "../log.ts";

export interface Context {
  config: Config;
  database: Database;
  hashKey: HashKey;
  log: Logger;
}

/** Opens the database of the settings, its schema up to date, for one command. */
export async function withDatabase<T>(run: (context: Context) => Promise<T>, log = createLog("silent")): Promise<T> {
  const config = readConfig();
  const chosen = await chooseDatabase(config, "command", log);
  try {
    await migrateDatabase(chosen.url);
    const database = openDatabase(chosen.url);
    try {
      return await run({ config, database, hashKey: createHashKey(config.keyPepper), log });
    } finally {
      await database.close();
    }
  } finally {
    await chosen.stop();
  }
}

/** As withDatabase, for what makes keys or looks for one: only with the pepper that they were hashed with. */
export function withKeys<T>(run: (context: Context) => Promise<T>): Promise<T> {
  return withDatabase(async (context) => {
    await expectPepper(context.database, context.config.keyPepper);
    return run(context);
  });
}
