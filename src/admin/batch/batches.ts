import { z } from "zod";
import type { Database } from "../../database/database.ts";
import { settleDue } from "../../sessions/batch/cleanup.ts";
import { readNodes, readRun } from "../../sessions/batch/read.ts";
import { selectBatches, selectGroups } from "../../sessions/batch/reading-sql.ts";
import { describeNode, describeSession } from "../../sessions/batch/session.ts";
import { pageOf } from "../page-of.ts";
import type { BatchNodesPage, BatchReply, ListBatches, ListNodes } from "./contract.ts";

/** A page of the sessions that fit all that is asked for, newest first, without results. */
export async function listBatches(database: Database, { cursor, limit, status, search }: ListBatches) {
  await settleDue(database);
  const sought = search ? { id: z.guid().safeParse(search).data ?? null, beginning: search } : undefined;
  const rows = await selectBatches(database, { status, before: cursor, limit: limit + 1, search: sought });
  return pageOf(rows, limit, { placeOf: (row) => row.number, item: (row) => describeSession(row) });
}

/** One session and its groups. Throws session_not_found. */
export async function readBatch(database: Database, sessionId: string): Promise<BatchReply> {
  const run = await readRun(database, sessionId);
  const groups = await selectGroups(database, run.number);
  return {
    session: describeSession(run),
    groups: (run.plan?.groups ?? []).map(({ group_id, agent_type, total_nodes }, at) => {
      const row = groups[at];
      return {
        group_id,
        agent_type,
        status: row?.status ?? "pending",
        total_nodes,
        completed_nodes: row?.completed ?? 0,
        failed_nodes: row?.failed ?? 0,
        skipped_nodes: row?.skipped ?? 0,
      };
    }),
  };
}

/** A page of the nodes of one session by their id, each with its group. Throws session_not_found. */
export async function listBatchNodes(
  database: Database,
  sessionId: string,
  { results, ...page }: ListNodes,
): Promise<BatchNodesPage> {
  const run = await readRun(database, sessionId);
  const { rows, next_cursor } = await readNodes(database, run, { ...page, brief: results === "false" });
  const groupOf = (no: number | null) => (no === null ? undefined : run.plan?.groups[no]?.group_id);
  return { nodes: rows.map((row) => ({ ...describeNode(row), group_id: groupOf(row.group_no) })), next_cursor };
}
