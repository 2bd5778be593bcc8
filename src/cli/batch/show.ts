import type { Command } from "commander";
import { readBatch } from "../../admin/batch/batches.ts";
import type { BatchReply } from "../../admin/batch/contract.ts";
import type { Database } from "../../database/database.ts";
import type { BatchSession, NodeItem } from "../../sessions/batch/contract.ts";
import { listNodes } from "../../sessions/batch/read.ts";
import { type Field, momentOf, oneLine, printFields } from "../fields.ts";
import { type OutputOptions, printJson, printTable, shorten, span } from "../output.ts";
import { percentOf, statusCell } from "./list.ts";
import { withSession } from "./which.ts";

const NODES_SHOWN = 20;
const METADATA_PLACES = 200;
const ERROR_PLACES = 1000;

export function addShowCommand(batch: Command): void {
  batch
    .command("show <id>")
    .description(`one batch session: how it stands, its groups, and ${NODES_SHOWN} of its nodes, the failed ones first`)
    .option("--json", "print as JSON: {session, groups, nodes, more_nodes}")
    .action((id: string, options: OutputOptions) =>
      withSession(id, options, async ({ database }, sessionId) => {
        const { session, groups } = await readBatch(database, sessionId);
        const nodes = await failedFirst(database, sessionId);
        const more_nodes = countKnown(session, groups) - nodes.length;
        if (options.json) {
          printJson({ session, groups, nodes, more_nodes });
          return;
        }
        printFields(fieldsOf(session));
        if (groups.length > 0) printGroups(groups);
        if (nodes.length > 0) printNodes(nodes, session, more_nodes);
      }),
    );
}

async function failedFirst(database: Database, sessionId: string): Promise<NodeItem[]> {
  const nodes: NodeItem[] = [];
  for (const status of ["failed", "skipped", "pending", "success"] as const) {
    const limit = NODES_SHOWN - nodes.length;
    if (limit > 0) nodes.push(...(await listNodes(database, sessionId, { status, limit, cursor: undefined })).nodes);
  }
  return nodes;
}

/** Where its nodes were not named beforehand, those that have a result. */
const countKnown = (session: BatchSession, groups: BatchReply["groups"]) =>
  groups.length > 0 ? session.node_count : session.completed_nodes + session.failed_nodes + session.skipped_nodes;

function fieldsOf(session: BatchSession): Field[] {
  const { worker, attempt, started_at, completed_at, metadata } = session;
  const took = completed_at && span((Date.parse(completed_at) - Date.parse(started_at ?? session.created_at)) / 1000);
  const isEmpty = Object.keys(metadata).length === 0;
  return [
    ["session", session.session_id],
    ["works on", session.canvas_path],
    ["status", session.ended_reason === null ? session.status : `${session.status} (${session.ended_reason})`],
    ["error", session.error_message],
    ["progress", percentOf(session)],
    ["nodes", `${session.node_count}: ${countsOf(session).join(", ")}`],
    ["message", session.message],
    ["worker", attempt === 0 ? "none yet" : `${worker ?? "without a name"}, attempt ${attempt}`],
    ["created", momentOf(session.created_at)],
    ["started", momentOf(started_at)],
    ["ended", completed_at && `${momentOf(completed_at)}, after ${took}`],
    ["silent until", momentOf(session.silent_until)],
    ["deadline", completed_at ? null : momentOf(session.deadline_at)],
    ["done about", momentOf(session.estimated_completion)],
    ["resumed from", session.resumed_from],
    ["resumed as", session.resumed_as],
    ["metadata", isEmpty ? null : shorten(JSON.stringify(metadata), METADATA_PLACES)],
  ];
}

type Counts = Pick<BatchSession, "node_count" | "completed_nodes" | "failed_nodes" | "skipped_nodes">;

/** "12 done", "1 failed", "27 to do". */
export function countsOf({ node_count, completed_nodes, failed_nodes, skipped_nodes }: Counts): string[] {
  const toDo = node_count - completed_nodes - failed_nodes - skipped_nodes;
  return [
    `${completed_nodes} done`,
    `${failed_nodes} failed`,
    ...(skipped_nodes > 0 ? [`${skipped_nodes} skipped`] : []),
    `${toDo} to do`,
  ];
}

function printGroups(groups: BatchReply["groups"]): void {
  console.log();
  printTable(
    ["GROUP", "AGENT", "STATUS", "NODES", "DONE", "FAILED", "SKIPPED"],
    groups.map((group) => [
      String(group.group_id),
      group.agent_type,
      statusCell(group.status),
      group.total_nodes,
      group.completed_nodes,
      group.failed_nodes,
      group.skipped_nodes,
    ]),
  );
}

function printNodes(nodes: NodeItem[], { failed_nodes }: BatchSession, more: number): void {
  console.log();
  printTable(
    ["NODE", "STATUS", "TOOK", "ERROR"],
    nodes.map(({ node_id, status, execution_time_ms, error, carried }) => [
      node_id,
      statusCell(status ?? "to do"),
      carried ? "carried over" : execution_time_ms === null ? null : `${execution_time_ms} ms`,
      error && shorten(oneLine(error), ERROR_PLACES),
    ]),
  );
  const failedMore = failed_nodes - nodes.filter(({ status }) => status === "failed").length;
  if (more > 0) console.log(`and ${more} more${failedMore > 0 ? `, ${failedMore} of them failed` : ""}`);
}
