import type { Command } from "commander";
import { listSessions } from "../../sessions/device/index.ts";
import { withDatabase } from "../context.ts";
import { ago, type Cell, type OutputOptions, printJson, printTable } from "../output.ts";

export function addListCommand(sessions: Command): void {
  sessions
    .command("list")
    .description("who is on now")
    .option("--json", "print as JSON, a session a line")
    .action((options: OutputOptions) =>
      withDatabase(async ({ database }) => {
        const rows: Cell[][] = [];
        for await (const session of listSessions(database)) {
          if (options.json) printJson(session);
          else {
            const device = [session.device?.name, session.device?.platform, session.device?.app_version];
            rows.push([
              session.session_id,
              session.access_key,
              device.filter(Boolean).join(", ") || null,
              ago(session.started_at),
              lastHeard(session.seconds_since_heartbeat, session.may_be_copied),
            ]);
          }
        }
        if (options.json) return;
        if (rows.length === 0) console.log("nobody is on");
        else printTable(["SESSION", "KEY", "DEVICE", "STARTED", "LAST HEARTBEAT"], rows);
      }),
    );
}

/** Silence longer than a heartbeat interval and a bit means trouble. */
const LATE_SECONDS = 35;

function lastHeard(seconds: number, mayBeCopied: boolean): Cell {
  const text = `${Math.round(seconds)} s ago${mayBeCopied ? ", may be copied" : ""}`;
  return { text, style: seconds > LATE_SECONDS || mayBeCopied ? "yellow" : "green" };
}
