import type { Command } from "commander";
import { OperatorError } from "../../errors.ts";
import { findSessions, kickSession } from "../../sessions/device/index.ts";
import { withDatabase } from "../context.ts";
import { type OutputOptions, printJson, printTable } from "../output.ts";

export function addKickCommand(sessions: Command): void {
  sessions
    .command("kick <session-id-prefix>")
    .description("end a live session and its lease; its key stays good, so the device may start again")
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
        if (!session) throw neither();
        const { key_id: keyId, generation, session_id, access_key } = session;
        const { sessionEnded: kicked, leaseFreed } = await kickSession(database, { keyId, generation, note: null }, by);
        if (!kicked && !leaseFreed) throw neither();
        const shown = `${session_id.slice(0, 8)}…`;
        if (options.json) printJson({ kicked, lease_freed: leaseFreed, session_id: shown, access_key });
        else if (!kicked) console.log(`freed the lease of key ${access_key}; nobody was live`);
        else console.log(`kicked the session of key ${access_key}${leaseFreed ? ", and freed its lease" : ""}`);
      }),
    );
}

const neither = () => new OperatorError("no live session's id begins so, nor that of a lease");
