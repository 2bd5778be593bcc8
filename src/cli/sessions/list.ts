import type { Command } from "commander";
import type { Database } from "../../database/database.ts";
import type { Device } from "../../sessions/device/contract.ts";
import { type LiveSession, listLeases, listSessions } from "../../sessions/device/index.ts";
import { withDatabase } from "../context.ts";
import { ago, type Cell, minuteOf, type OutputOptions, printJson, printTable } from "../output.ts";

export function addListCommand(sessions: Command): void {
  sessions
    .command("list")
    .description("who is on now")
    .option("--offline", "instead, who holds a key offline by a lease, and until when; sessions kick frees it")
    .option("--json", "print as JSON, a session a line")
    .action((options: OutputOptions & { offline?: boolean }) =>
      withDatabase(({ database }) =>
        options.offline ? printLeases(database, options) : printSessions(database, options),
      ),
    );
}

async function printSessions(database: Database, options: OutputOptions): Promise<void> {
  const rows: Cell[][] = [];
  for await (const session of listSessions(database)) {
    if (options.json) printJson(session);
    else {
      const { session_id, access_key, started_at } = session;
      rows.push([session_id, access_key, nameOf(session.device), ago(started_at), lastHeard(session)]);
    }
  }
  if (options.json) return;
  if (rows.length === 0) console.log("nobody is on");
  else printTable(["SESSION", "KEY", "DEVICE", "STARTED", "LAST HEARTBEAT"], rows);
}

async function printLeases(database: Database, options: OutputOptions): Promise<void> {
  const rows: Cell[][] = [];
  for await (const lease of listLeases(database)) {
    if (options.json) printJson(lease);
    else {
      const { session_id, access_key, issued_at, until } = lease;
      rows.push([session_id, access_key, nameOf(lease.device), ago(issued_at), minuteOf(until)]);
    }
  }
  if (options.json) return;
  if (rows.length === 0) console.log("no key is held offline");
  else printTable(["SESSION", "KEY", "DEVICE", "GIVEN", "UNTIL"], rows);
}

const nameOf = (device: Device | null): string | null =>
  [device?.name, device?.platform, device?.app_version].filter(Boolean).join(", ") || null;

/** Silence longer than a heartbeat interval and a bit means trouble. */
const LATE_SECONDS = 35;

function lastHeard(session: LiveSession): Cell {
  const seconds = session.seconds_since_heartbeat;
  const trust = session.may_be_copied ? ", may be copied" : session.with_proof ? ", with proof" : "";
  const style = seconds > LATE_SECONDS || session.may_be_copied ? "yellow" : "green";
  return { text: `${Math.round(seconds)} s ago${trust}`, style };
}
