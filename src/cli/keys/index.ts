/** keybeat keys */
import type { Command } from "commander";
import { addCreateCommand } from "./create.ts";
import { addImportCommand } from "./import.ts";
import { addListCommand } from "./list.ts";
import { addRevokeCommand } from "./revoke.ts";

export function addKeysCommands(program: Command): void {
  const keys = program.command("keys").description("access keys: create, import, list, revoke");
  addCreateCommand(keys);
  addImportCommand(keys);
  addListCommand(keys);
  addRevokeCommand(keys);
}
