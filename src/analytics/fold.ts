import type { Database } from "../database/database.ts";
import { foldRows } from "./sql.ts";
import { ANALYTICS_TABLES } from "./tables.ts";

const BATCH_SIZE = 20_000;

/** Makes few rows of the many in which the numbers were written, until `untilMs` (on performance.now()). No number changes by it. */
export async function foldNumbers(database: Database, untilMs: number): Promise<void> {
  for (const table of ANALYTICS_TABLES) {
    while ((await foldRows(database, table, BATCH_SIZE)) >= BATCH_SIZE / 2 && performance.now() < untilMs);
  }
}
