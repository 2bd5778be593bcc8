/** The recorded calls of the workers of batch sessions, as each saw them; compare call.ts for devices. */
import type { NodeStatus } from "../../../src/sessions/batch/contract.ts";
import type { Answer } from "./call.ts";

export type BatchOperation = "create" | "claim" | "put" | "cancel" | "complete" | "read";

/** What a call is about, before it is sent. */
export interface AskedOfBatch {
  operation: BatchOperation;
  /** What the run works on; no other run has it. */
  path: string;
  server: number;
  /** Of all but a create. */
  sessionId?: string;
  worker?: string;
  attempt?: number;
  node?: string;
  value?: NodeValue;
}

export interface NodeValue {
  status: NodeStatus;
  /** Another for each result that is sent, however often. */
  result: string;
}

/** Times are milliseconds on performance.now() of the process that called. */
export interface BatchCall extends AskedOfBatch {
  sentAt: number;
  answeredAt: number;
  /** Of the HTTP answer; 0: there was none. */
  status: number;
  answer: BatchAnswer;
}

export type BatchAnswer =
  | Extract<Answer, { is: "unknown" | "unexpected" }>
  | { is: "made"; sessionId: string }
  | { is: "claimed"; attempt: number }
  /** By another worker. */
  | { is: "held" }
  | { is: "stored" }
  /** Another worker has claimed the run since. */
  | { is: "outdated" }
  /** By this call, and before it. */
  | ({ is: "ended" } & Ending)
  | ({ is: "over" } & Ending)
  | ({ is: "run"; counts: number[]; nodes: Record<string, NodeValue> } & Ending);

export interface Ending {
  state: string;
  reason: string | null;
}

export const NODES = 12;

export function writeBatchRequest(asked: AskedOfBatch) {
  const { operation, path, sessionId, worker, attempt, node, value } = asked;
  const session = `/sessions/${sessionId}`;
  switch (operation) {
    case "create":
      return {
        method: "POST",
        path: "/sessions",
        body: { canvas_path: path, node_count: NODES },
        headers: { "Idempotency-Key": path },
      };
    case "claim":
      return { method: "POST", path: `${session}/claim`, body: { worker, on_conflict: "replace" } };
    case "put":
      return { method: "PUT", path: `${session}/nodes/${node}`, body: { attempt, ...value } };
    case "read":
      return { method: "GET", path: session };
    default:
      return { method: "POST", path: `${session}/${operation}`, body: operation === "complete" ? { attempt } : {} };
  }
}

/** The answer in the fewest words that the checker needs; `body` is whatever the server sent. */
// biome-ignore lint/suspicious/noExplicitAny: a body of unknown shape is what this function is for
export function readBatchAnswer(operation: BatchOperation, status: number, body: any): BatchAnswer {
  if (status === 503) return { is: "unknown", why: "503" };
  const ending = { state: body?.status, reason: body?.ended_reason ?? null };
  if (status === 409 && body?.code === "session_over") return { is: "over", ...ending };
  if (status === 409 && body?.code === "attempt_replaced") return { is: "outdated" };
  if (status === 409 && body?.code === "claimed") return { is: "held" };
  if (operation === "create" && status === 201) return { is: "made", sessionId: body.session_id };
  if (status === 200) {
    if (operation === "claim") return { is: "claimed", attempt: body.attempt };
    if (operation === "put") return { is: "stored" };
    if (operation === "cancel") return { is: "ended", state: "cancelled", reason: "cancelled" };
    if (operation === "complete") return { is: "ended", ...ending };
    if (operation === "read") {
      const nodes = Object.entries(body.node_results as Record<string, NodeValue>);
      return {
        is: "run",
        ...ending,
        counts: [body.completed_nodes, body.failed_nodes, body.skipped_nodes],
        nodes: Object.fromEntries(nodes.map(([node, { status, result }]) => [node, { status, result }])),
      };
    }
  }
  return { is: "unexpected", what: `${status} ${JSON.stringify(body)?.slice(0, 200)}` };
}
