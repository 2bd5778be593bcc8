/** keybeat games */
import type { Command } from "commander";
import { addEndCommand } from "./end.ts";
import { addFollowCommand } from "./follow/index.ts";
import { addListCommand } from "./list.ts";
import { addShowCommand } from "./show.ts";

export function addGamesCommands(program: Command): void {
  const games = program.command("games").description("game sessions and matches: list, show, follow, end");
  addListCommand(games);
  addShowCommand(games);
  addFollowCommand(games);
  addEndCommand(games);
}
