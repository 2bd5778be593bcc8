import type { Command } from "commander";
import { createKey } from "../../keys/index.ts";
import { withKeys } from "../context.ts";
import { type OutputOptions, printJson } from "../output.ts";

export function addCreateCommand(keys: Command): void {
  keys
    .command("create")
    .description("make an access key and print it; it is shown only now")
    .option("--label <label>", "whose it is, for people")
    .option("--expires <when>", "through a day (2027-01-31, UTC), at a moment, or after a span (30d, 12h)")
    .option("--key <key>", "take this key instead of a random one")
    .option("--json", "print as JSON")
    .action(async (options: OutputOptions & { label?: string; expires?: string; key?: string }) => {
      const created = await withKeys(({ database, hashKey, by }) => createKey(database, hashKey, options, by));
      if (options.json) printJson(created);
      else console.log(created.access_key);
    });
}
