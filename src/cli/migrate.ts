import type { Command } from "commander";
import { createLog } from "../log.ts";
import { withMigrated } from "./context.ts";
import { type OutputOptions, printJson } from "./output.ts";

/** As a deployment's first step, `migrate` often runs before the database is up. */
const DATABASE_AWAY_MS = 60_000;

export function addMigrateCommand(program: Command): void {
  program
    .command("migrate")
    .description("bring the database's schema up to date; safe to run at any time, by several at once")
    .option("--json", "print the result as JSON")
    .action(async (options: OutputOptions) => {
      const log = createLog("silent");
      await withMigrated({ awayMs: DATABASE_AWAY_MS, log }, async (_url, { applied, functions, serverVersion }) => {
        if (options.json) printJson({ applied, functions, server_version: serverVersion });
        else if (applied > 0) console.log(`applied ${applied} migration(s)`);
        else console.log(functions ? "applied the functions" : "the schema is up to date");
      });
    });
}
