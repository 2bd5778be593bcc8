/** keybeat batch */
import type { Command } from "commander";
import { addCancelCommand } from "./cancel.ts";
import { addFollowCommand } from "./follow/index.ts";
import { addListCommand } from "./list.ts";
import { addShowCommand } from "./show.ts";

export function addBatchCommands(program: Command): void {
  const batch = program.command("batch").description("batch sessions: list, show, follow, cancel");
  addListCommand(batch);
  addShowCommand(batch);
  addFollowCommand(batch);
  addCancelCommand(batch);
}
