/** keybeat signing-key */
import type { Command } from "commander";
import { addCreateCommand } from "./create.ts";
import { addShowCommand } from "./show.ts";

export function addSigningKeyCommands(program: Command): void {
  const signingKey = program.command("signing-key").description("what answers are signed with: create, show");
  addCreateCommand(signingKey);
  addShowCommand(signingKey);
}
