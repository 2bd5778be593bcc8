import type { Command } from "commander";
import { OperatorError } from "../errors.ts";
import { findSessions, kickSession, listSessions } from "../sessions/device/index.ts";
import { withDatabase } from "./context.ts";
import { ago, type Cell, type OutputOptions, printJson, printTable } from "./output.ts";

export function addSessionsCommands(program: Command): void {
  const sessions = program.command("sessions").description("live sessions: list, kick");

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
              lastHeard(session.seconds_since_heartbeat),
            ]);
          }
        }
        if (options.json) return;
        if (rows.length === 0) console.log("nobody is on");
        else printTable(["SESSION", "KEY", "DEVICE", "STARTED", "LAST HEARTBEAT"], rows);
      }),
    );

  sessions
    .command("kick <session-id-prefix>")
    .description("end a live session; its key stays good, so the device may start again")
    .option("--json", "print the result as JSON")
    .action((prefix: string, options: OutputOptions) =>
      withDatabase(async ({ database, by }) => {
        const found = await findSessions(database, prefix);
        if (found.length > 1) {
          const matches = found.map((session) => ({
            session_id: `${session.session_id.slice(0, Math.max(8, prefix.length))}…`,
            access_key: session.access_key,
            device: session.device?.name ?? null,
          }));
          if (options.json) printJson({ matches });
          else
            printTable(
              ["SESSION", "KEY", "DEVICE"],
              matches.map((match) => Object.values(match)),
            );
          throw new OperatorError("several sessions fit, none was kicked: say more characters");
        }
        const [session] = found;
        const kick = session && { keyId: session.key_id, generation: session.generation, note: null };
        if (!kick || !(await kickSession(database, kick, by)))
          throw new OperatorError("no live session's id begins so");
        const { session_id, access_key } = session;
        if (options.json) printJson({ kicked: true, session_id: `${session_id.slice(0, 8)}…`, access_key });
        else console.log(`kicked the session of key ${access_key}`);
      }),
    );
}

/** Silence longer than a heartbeat interval and a bit means trouble. */
const LATE_SECONDS = 35;

function lastHeard(seconds: number): Cell {
  const text = `${Math.round(seconds)} s ago`;
  return { text, style: seconds > LATE_SECONDS ? "yellow" : "green" };
}
