import type { Command } from "commander";
import { OperatorError } from "../errors.ts";
import { createKey, type KeyRow, listKeys, revokeKey } from "../keys/index.ts";
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
      const created = await withKeys(({ database, hashKey }) => createKey(database, hashKey, options));
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
          if (options.json) printJson(keyJson(key));
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
      withKeys(async ({ database, hashKey }) => {
        const result = await revokeKey(database, hashKey, which);
        if (result.outcome === "unknown") throw new OperatorError("no key fits");
        if (result.outcome === "ambiguous") {
          if (options.json) printJson({ matches: result.keys.map(keyJson) });
          else printKeys(result.keys);
          throw new OperatorError("several keys fit, none was revoked: say more characters, or id:<id>");
        }
        const { key, sessionRevoked } = result;
        if (options.json) printJson({ id: key.id, revoked: true, session_ended: sessionRevoked });
        else
          console.log(`revoked key ${key.id} (${key.prefix}…)${sessionRevoked ? ", its live session has ended" : ""}`);
      }),
    );
}

function printKeys(rows: KeyRow[]): void {
  printTable(
    ["ID", "KEY", "LABEL", "STATE", "LAST USED", "EXPIRES"],
    rows.map((key) => [
      key.id,
      `${key.prefix}…`,
      key.label,
      stateOf(key),
      key.lastUsedAt && ago(key.lastUsedAt),
      key.expiresAt?.slice(0, 10) ?? null,
    ]),
  );
}

function stateOf(key: KeyRow): Cell {
  if (key.revokedAt) return { text: "revoked", style: "red" };
  if (key.expiresAt && new Date(key.expiresAt).getTime() <= Date.now()) {
    return { text: key.live ? "expired, in use" : "expired", style: "yellow" };
  }
  return key.live ? { text: "in use", style: "green" } : "free";
}

function keyJson(key: KeyRow) {
  return {
    id: key.id,
    access_key: `${key.prefix}…`,
    label: key.label,
    created_at: key.createdAt,
    expires_at: key.expiresAt,
    revoked_at: key.revokedAt,
    last_used_at: key.lastUsedAt,
    live: key.live,
  };
}
