import type { Command } from "commander";
import { UsageError } from "../../errors.ts";
import { cancelSession } from "../../sessions/batch/cancel.ts";
import { cancelRequest } from "../../sessions/batch/contract.ts";
import { type OutputOptions, printJson } from "../output.ts";
import { withSession } from "./which.ts";

export function addCancelCommand(batch: Command): void {
  batch
    .command("cancel <id>")
    .description("end a batch session; its worker is told at once, and its results stay, for a resume")
    .option("--reason <reason>", "why: the session says it, and the audit log")
    .option("--json", "print the result as JSON")
    .action(async (id: string, options: OutputOptions & { reason?: string }) => {
      const request = cancelRequest.safeParse({ reason: options.reason || undefined });
      if (!request.success) throw new UsageError(`--reason ${request.error.issues[0]?.message}`);
      await withSession(id, options, async ({ database, by }, session_id) => {
        const { completed_count } = await cancelSession(database, session_id, request.data.reason, by);
        if (options.json) printJson({ cancelled: true, session_id, completed_count });
        else console.log(`cancelled session ${session_id}; nodes done: ${completed_count}`);
      });
    });
}
