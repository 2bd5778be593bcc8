import type { Command } from "commander";
import { OperatorError } from "../../errors.ts";
import { findKeys, revokeKey } from "../../keys/index.ts";
import { withKeys } from "../context.ts";
import { type OutputOptions, printJson } from "../output.ts";
import { printKeys } from "./list.ts";

export function addRevokeCommand(keys: Command): void {
  keys
    .command("revoke <prefix-or-id>")
    .description("revoke a key by its first characters, its id or the whole key; its live session ends")
    .option("--json", "print the result as JSON")
    .action((which: string, options: OutputOptions) =>
      withKeys(async ({ database, hashKey, by }) => {
        const found = await findKeys(database, hashKey, which);
        if (found.length > 1) {
          if (options.json) printJson({ matches: found });
          else printKeys(found);
          throw new OperatorError("several keys fit, none was revoked: say more characters, or id:<id>");
        }
        const [key] = found;
        const revoked = key && (await revokeKey(database, { id: key.id, note: null }, by));
        if (!key || !revoked) throw new OperatorError("no key fits");
        if (options.json) printJson({ id: key.id, revoked: true, session_ended: revoked.sessionRevoked });
        else {
          const ended = revoked.sessionRevoked ? ", its live session has ended" : "";
          console.log(`revoked key ${key.id} (${key.access_key})${ended}`);
        }
      }),
    );
}
