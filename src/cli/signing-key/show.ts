import type { Command } from "commander";
import { readConfig } from "../../config.ts";
import { OperatorError } from "../../errors.ts";
import { type OutputOptions, printJson, printTable } from "../output.ts";

export function addShowCommand(signingKey: Command): void {
  signingKey
    .command("show")
    .description("print the public keys of those in SIGNING_KEY, for the clients; the newest first")
    .option("--json", 'print as JSON: [{"public_key": …, "key_id": …}]')
    .action((options: OutputOptions) => {
      const keys = readConfig().signingKeys;
      if (keys.length === 0) throw new OperatorError("no SIGNING_KEY is set; keybeat signing-key create makes one");
      if (options.json) printJson(keys.map(({ id, publicKey }) => ({ public_key: publicKey, key_id: id })));
      else
        printTable(
          ["KEY ID", "PUBLIC KEY"],
          keys.map(({ id, publicKey }) => [id, publicKey]),
        );
    });
}
