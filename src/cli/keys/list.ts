import type { Command } from "commander";
import { type KeyRow, listKeys } from "../../keys/index.ts";
import { withDatabase } from "../context.ts";
import { ago, type Cell, minuteOf, type OutputOptions, printJson, printTable } from "../output.ts";

export function addListCommand(keys: Command): void {
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
}

export function printKeys(rows: KeyRow[]): void {
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
  if (key.may_be_copied) return { text: "in use, may be copied", style: "yellow" };
  if (key.live) return { text: "in use", style: "green" };
  return key.leased_until ? { text: `offline until ${minuteOf(key.leased_until)}`, style: "yellow" } : "free";
}
