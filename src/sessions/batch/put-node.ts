import type { Database } from "../../database/database.ts";
import type { ResultReply, ResultRequest } from "./contract.ts";
import { unlessRefused } from "./refusal.ts";
import { describeNode } from "./session.ts";
import { putNodeRow } from "./sql.ts";

/**
 * Takes in a node's result. The same again changes nothing (`duplicate`), another one takes its place. Throws an AppError:
 * session_not_found, session_over, attempt_replaced, too_many_nodes, unknown_node, run_full, or unavailable.
 */
export async function putResult(
  database: Database,
  of: { sessionId: string; nodeId: string },
  request: ResultRequest,
): Promise<ResultReply> {
  const row = await putNodeRow(database, {
    ...of,
    status: request.status,
    result: request.result ?? null,
    error: request.error ?? null,
    startedAt: request.started_at ?? null,
    completedAt: request.completed_at ?? null,
    attempt: request.attempt ?? null,
  });
  if (!("node" in row)) throw unlessRefused(row);
  return { ...describeNode(row.node), status: request.status, duplicate: row.outcome === "duplicate" };
}
