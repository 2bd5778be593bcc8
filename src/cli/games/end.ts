import type { Command } from "commander";
import { endGameRequest } from "../../admin/game/contract.ts";
import { OperatorError, UsageError } from "../../errors.ts";
import { forceEnd } from "../../sessions/game/force-end.ts";
import { type OutputOptions, printJson } from "../output.ts";
import { withSession } from "./which.ts";

export function addEndCommand(games: Command): void {
  games
    .command("end <id>")
    .description("end a game session as terminated; who plays is told with the next call, who follows at once")
    .option("--reason <reason>", "why: its log says it, and the audit log")
    .option("--json", "print the result as JSON")
    .action(async (id: string, options: OutputOptions & { reason?: string }) => {
      const request = endGameRequest.safeParse({ reason: options.reason || undefined });
      if (!request.success) throw new UsageError(`--reason ${request.error.issues[0]?.message}`);
      await withSession(id, options, async ({ database, by }, session_id) => {
        const { isNew, session } = await forceEnd(database, session_id, request.data.reason, by);
        const { status, ended_at } = session;
        if (!isNew) throw new OperatorError(`the session is over: ${status}`);
        if (options.json) printJson({ ended: true, session_id, status, ended_at });
        else console.log(`ended session ${session_id}: it is ${status}`);
      });
    });
}
