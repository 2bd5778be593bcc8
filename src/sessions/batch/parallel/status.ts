import type { Database } from "../../../database/database.ts";
import { noSuchSession } from "../../no-such-session.ts";
import type { BatchRow } from "../sql.ts";
import type { GroupItem, StatusReply } from "./contract.ts";
import { type GroupRow, selectGroupedRun, type TimesRow } from "./sql.ts";

/** The session as clients of the published API know it. Throws session_not_found, or unavailable. */
export async function readTaskStatus(database: Database, taskId: string): Promise<StatusReply> {
  const row = await selectGroupedRun(database, taskId);
  if (row === undefined) throw noSuchSession();
  const groups = row.grouped.map((group) => describeGroup(row, group));
  return {
    task_id: row.session_id,
    session_id: row.session_id,
    status: row.status,
    total_groups: groups.length,
    total_nodes: row.node_count,
    completed_groups: groups.filter(({ status }) => status === "completed" || status === "failed").length,
    completed_nodes: row.completed_nodes,
    failed_nodes: row.failed_nodes,
    progress_percent: Math.floor(row.progress_percent),
    created_at: row.created_at.toISOString(),
    started_at: row.started_at?.toISOString() ?? null,
    completed_at: row.completed_at?.toISOString() ?? null,
    error_message: row.error_message,
    groups,
    performance_metrics: measure(row),
  };
}

function describeGroup({ plan }: BatchRow, row: GroupRow): GroupItem {
  const group = plan?.groups[row.group_no];
  if (group === undefined) throw new Error(`the plan has no group ${row.group_no}`);
  return {
    group_id: group.group_id,
    status: row.status,
    agent_type: group.agent_type,
    completed_nodes: row.completed,
    total_nodes: group.total_nodes,
    results: row.results.map(({ node_id, file_path, file_size }) => ({
      node_id,
      file_path: file_path ?? undefined,
      file_size: file_size ?? undefined,
    })),
    errors: row.errors.map(({ node_id, error_message }) => ({
      node_id,
      error_message: error_message ?? "failed without a message",
    })),
  };
}

function measure(row: BatchRow & TimesRow): StatusReply["performance_metrics"] {
  if (row.completed_at === null) return null;
  const seconds = (row.completed_at.getTime() - (row.started_at ?? row.created_at).getTime()) / 1000;
  const lanes = row.plan?.max_concurrent ?? row.peak;
  return {
    total_duration_seconds: seconds,
    average_duration_per_node: row.average_seconds,
    parallel_efficiency:
      row.sum_seconds === null || lanes === null || seconds === 0
        ? null
        : Math.min(1, row.sum_seconds / (seconds * lanes)),
    peak_concurrent: row.peak,
  };
}
