/** What most commands need: the settings and an open database that is always closed again. */
import type { Operator } from "../audit/operator.ts";
import { type Config, readConfig } from "../config.ts";
import { chooseDatabase } from "../database/choose.ts";
import { type Database, openDatabase } from "../database/database.ts";
import { type MigrationReport, migrateDatabase } from "../database/migrate.ts";
import { untilStopped } from "../database/patience.ts";
import { createHashKey, expectPepper, type HashKey } from "../keys/index.ts";
import { createLog, type Logger } from "../log.ts";
import { operatorOfCommandLine } from "./operator.ts";
import { stopAtSignal } from "./signals.ts";

export interface Context {
  config: Config;
  database: Database;
  hashKey: HashKey;
  /** Who has called the command, for the audit log. */
  by: Operator;
  log: Logger;
}

/** Opens the configured database, its schema up to date, for one command. A signal ends it and closes everything. */
export async function withDatabase<T>(run: (context: Context) => Promise<T>, log = createLog("silent")): Promise<T> {
  return withMigrated({ awayMs: 0, log }, async (url, { config, stop }) => {
    const database = openDatabase(url);
    try {
      const hashKey = createHashKey(config.keyPepper);
      return await untilStopped(run({ config, database, hashKey, by: operatorOfCommandLine(), log }), stop);
    } finally {
      const closed = database.close();
      if (!stop.aborted) await closed;
    }
  });
}

/** `awayMs`: how long the database may be away at the start. */
export async function withMigrated<T>(
  { awayMs, log }: { awayMs: number; log: Logger },
  run: (url: string, around: { config: Config; stop: AbortSignal } & MigrationReport) => Promise<T>,
): Promise<T> {
  const config = readConfig();
  const { stop } = stopAtSignal();
  const patience = { awayMs, stop, say: (line: string) => console.error(`keybeat: ${line}`) };
  const chosen = await chooseDatabase(config, "command", log, patience);
  try {
    return await run(chosen.url, { config, stop, ...(await migrateDatabase(chosen.url, patience)) });
  } finally {
    await chosen.stop();
  }
}

/** Like withDatabase, for commands that make keys or look one up: requires the pepper that the keys were hashed with. */
export function withKeys<T>(run: (context: Context) => Promise<T>): Promise<T> {
  return withDatabase(async (context) => {
    await expectPepper(context.database, context.config.keyPepper);
    return run(context);
  });
}
