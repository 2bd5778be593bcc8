/** A run, and a node's result, as they are on the wire. */
import type { BatchSession, NodeItem } from "./contract.ts";
import type { BatchRow, NodeRow } from "./sql.ts";

/** `results` undefined: without them. */
export function describeSession(row: BatchRow, results?: NodeItem[]): BatchSession {
  return {
    session_id: row.session_id,
    canvas_path: row.canvas_path,
    node_count: row.node_count,
    status: row.status,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
    started_at: wire(row.started_at),
    completed_at: wire(row.completed_at),
    progress_percent: row.progress_percent,
    completed_nodes: row.completed_nodes,
    failed_nodes: row.failed_nodes,
    skipped_nodes: row.skipped_nodes,
    node_results: Object.fromEntries((results ?? []).map((node) => [node.node_id, node])),
    node_results_truncated: results === undefined,
    error_message: row.error_message,
    metadata: row.metadata,
    attempt: row.attempt,
    worker: row.worker,
    message: row.message,
    ended_reason: row.ended_reason,
    silent_until: wire(row.silent_until),
    deadline_at: wire(row.deadline_at),
    resumed_from: row.resumed_from,
    resumed_as: row.resumed_as,
    estimated_completion: wire(row.estimated_completion),
  };
}

export function describeNode(row: Omit<NodeRow, "group_no">): NodeItem {
  const { started_at, completed_at } = row;
  return {
    node_id: row.node_id,
    status: row.status,
    result: row.result,
    error: row.error,
    started_at: wire(started_at),
    completed_at: wire(completed_at),
    execution_time_ms: started_at && completed_at ? completed_at.getTime() - started_at.getTime() : null,
    carried: row.carried,
  };
}

const wire = (moment: Date | null) => moment?.toISOString() ?? null;
