import type { Command } from "commander";

export function addCheckCommand(program: Command): void {
  program.command("check <url>");
}
