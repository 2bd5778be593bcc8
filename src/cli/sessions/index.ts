/** keybeat sessions */
import type { Command } from "commander";
import { addKickCommand } from "./kick.ts";
import { addListCommand } from "./list.ts";

export function addSessionsCommands(program: Command): void {
  const sessions = program.command("sessions").description("live sessions: list, kick");
  addListCommand(sessions);
  addKickCommand(sessions);
}
