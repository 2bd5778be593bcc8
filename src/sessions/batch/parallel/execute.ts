import type { Database } from "../../../database/database.ts";
import { createRun } from "../create.ts";
import type { ExecuteReply, ExecuteRequest } from "./contract.ts";

/**
 * Makes a session whose nodes are named, in groups; pending, for whoever claims it. With an `idempotencyKey` the same
 * request gives the same answer. Throws an AppError: idempotency_conflict, or unavailable.
 */
export async function executeGroups(
  database: Database,
  request: ExecuteRequest,
  idempotencyKey: string | undefined,
): Promise<ExecuteReply> {
  const { groups } = request;
  const nodes = groups.flatMap(({ node_ids }, group_no) => node_ids.map((node_id) => ({ node_id, group_no })));
  const plan = {
    max_concurrent: request.max_concurrent,
    groups: groups.map(({ group_id, agent_type, node_ids }) => ({
      group_id,
      agent_type,
      total_nodes: node_ids.length,
    })),
  };
  const run = await createRun(
    database,
    {
      canvasPath: request.canvas_path,
      nodeCount: nodes.length,
      metadata: {},
      timeoutSeconds: request.timeout,
      plan,
      nodes,
    },
    idempotencyKey,
  );
  return {
    task_id: run.session_id,
    session_id: run.session_id,
    status: "pending",
    total_groups: groups.length,
    total_nodes: nodes.length,
    created_at: run.created_at.toISOString(),
    estimated_completion: null,
    websocket_url: null,
  };
}
