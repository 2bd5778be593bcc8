import type { Command } from "commander";
import { OperatorError } from "../errors.ts";
import { createKey, findKeys, type KeyRow, listKeys, revokeKey } from "../keys/index.ts";
import { withDatabase, withKeys } from "./context.ts";
import { addImportCommand } from "./keys-import.ts";
import { ago, type Cell, type OutputOptions, printJson, printTable } from "./output.ts";

export function addKeysCommands(program: Command): void {
  const keys = program.command("keys").description("access keys: create, import, list, revoke");

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

  addImportCommand(keys);

  keys
    .command("list")
    .description("all keys by their first characters")
    .option("--json", "print as JSON, a key a line")
    .action((options: OutputOptions) =>
      withDatabase(async ({ database }) => {
        const rows: KeyRow[] = [];
        for await (const key of listKeys(database)) {
          if (options.json) printJson(key);
          else rows.push(key);
        }
        if (options.json) return;
        if (rows.length === 0) console.log('no keys yet: "keybeat keys create" makes one');
        else printKeys(rows);
      }),
    );

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

function printKeys(rows: KeyRow[]): void {
  printTable(
    ["ID", "KEY", "LABEL", "STATE", "LAST USED", "EXPIRES"],
    rows.map((key) => [
      key.id,
      key.access_key,
      key.label,
      stateOf(key),
      key.last_used_at && ago(key.last_used_at),
      key.expires_at?.toISOString().slice(0, 10) ?? null,
    ]),
  );
}

function stateOf(key: KeyRow): Cell {
  if (key.revoked_at) return { text: "revoked", style: "red" };
  if (key.expires_at && key.expires_at.getTime() <= Date.now()) {
    return { text: key.live ? "expired, in use" : "expired", style: "yellow" };
  }
  return key.live ? { text: "in use", style: "green" } : "free";
}
