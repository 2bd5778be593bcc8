import type { Command } from "commander";
import type { Database } from "../../database/database.ts";
import type { BatchSession, BatchStatus } from "../../sessions/batch/contract.ts";
import { listSessions } from "../../sessions/batch/list.ts";
import { BATCH_STATUSES } from "../../sessions/batch/states.ts";
import { withDatabase } from "../context.ts";
import { readLimit, readWord } from "../list-options.ts";
import { ago, type Cell, type OutputOptions, printJson, printTable, type Style } from "../output.ts";

const PAGE_SIZE = 100;

export function addListCommand(batch: Command): void {
  batch
    .command("list")
    .description("the batch sessions, newest first")
    .option("--status <status>", `only these: ${BATCH_STATUSES.join(", ")}`)
    .option("--limit <n>", "how many at most", "20")
    .option("--json", "print as JSON, a session a line, without results")
    .action(async (options: OutputOptions & { status?: string; limit: string }) => {
      const status = readWord("--status", options.status, BATCH_STATUSES);
      const limit = readLimit(options.limit);
      await withDatabase(async ({ database }) => {
        const sessions: BatchSession[] = [];
        for await (const session of newest(database, status, limit)) {
          if (options.json) printJson(session);
          else sessions.push(session);
        }
        if (options.json) return;
        if (sessions.length === 0) console.log(`no batch session${status ? ` is ${status}` : "s yet"}`);
        else printSessions(sessions);
      });
    });
}

async function* newest(database: Database, status: BatchStatus | undefined, limit: number) {
  let cursor: number | undefined;
  for (let left = limit; left > 0; left -= PAGE_SIZE) {
    const page = await listSessions(database, { status, limit: Math.min(left, PAGE_SIZE), cursor });
    yield* page.sessions;
    if (page.next_cursor === null) return;
    cursor = Number(page.next_cursor);
  }
}

export function printSessions(sessions: BatchSession[]): void {
  printTable(
    ["SESSION", "STATUS", "NODES", "DONE", "FAILED", "PROGRESS", "WORKER", "CREATED", "WORKS ON"],
    sessions.map((session) => [
      session.session_id,
      statusCell(session.status),
      session.node_count,
      session.completed_nodes,
      session.failed_nodes,
      percentOf(session),
      session.worker,
      ago(session.created_at),
      session.canvas_path,
    ]),
  );
}

/** In hundredths at most: a worker may send any number. */
export const percentOf = ({ progress_percent }: { progress_percent: number }): string =>
  `${Math.round(progress_percent * 100) / 100} %`;

const STYLES: Partial<Record<string, Style>> = {
  success: "green",
  completed: "green",
  partial_failure: "yellow",
  cancelled: "yellow",
  failed: "red",
};

/** Of a session, a group or a node. */
export function statusCell(status: string): Cell {
  const style = STYLES[status];
  return style === undefined ? status : { text: status, style };
}
