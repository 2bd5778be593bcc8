/** `keybeat games follow`: a match by its events, any other session by its log. */
import type { Command } from "commander";
import { OperatorError } from "../../../errors.ts";
import { FOLLOW_HELP, followSession } from "../../follow/index.ts";
import type { OutputOptions } from "../../output.ts";
import { withSession } from "../which.ts";
import { followLog } from "./log.ts";
import { followMatch } from "./match.ts";

export function addFollowCommand(games: Command): void {
  games
    .command("follow <id>")
    .description("follow a game session to its end; exit code 0: completed, 1: not; q or Ctrl-C stops following (130)")
    .option("--json", "print what happens as JSON, a line each: of a match its events, as GET …/events has them")
    .addHelpText("after", HELP)
    .action(async (id: string, options: OutputOptions) => {
      const status = await follow(id, options);
      if (status !== "completed") throw new OperatorError(`the session did not complete: it is ${status}`);
    });
}

const HELP = `
On a terminal it shows who takes part, with their health, and what happened last; without one a line for each event. To
look is no call for the session: one that falls silent ends.
${FOLLOW_HELP}`;

async function follow(id: string, options: OutputOptions): Promise<string> {
  const known = await withSession(id, options, async ({ database }, sessionId) => ({
    match: await followMatch(database, sessionId),
    log: await followLog(database, sessionId),
  }));
  if (known.match) return (await followSession(known.match, options)).match.status;
  return (await followSession(known.log, options)).session.status;
}
