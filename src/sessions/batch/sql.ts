/** What changes a run, a function of migrations/functions/batch*.sql each, which says what it guarantees. */
import type { Operator } from "../../audit/operator.ts";
import { type Database, REQUEST_DEADLINE_MS } from "../../database/database.ts";
import type { Sql } from "../../database/lane.ts";
import type { Idempotency } from "../contract.ts";
import type { BatchSession, BatchStatus, NodeStatus } from "./contract.ts";

/** Of all results of one run. */
const RUN_RESULTS_BYTES_MAX = 1024 ** 3;

/** A run as view_batch gives it. */
export interface BatchRow {
  number: number;
  session_id: string;
  canvas_path: string;
  node_count: number;
  status: BatchStatus;
  created_at: Date;
  updated_at: Date;
  started_at: Date | null;
  completed_at: Date | null;
  progress_percent: number;
  completed_nodes: number;
  failed_nodes: number;
  skipped_nodes: number;
  error_message: string | null;
  metadata: Record<string, unknown>;
  attempt: number;
  worker: string | null;
  message: string | null;
  ended_reason: BatchSession["ended_reason"];
  silent_until: Date | null;
  deadline_at: Date | null;
  resumed_from: string | null;
  resumed_as: string | null;
  estimated_completion: Date | null;
  result_bytes: number;
  silence_seconds: number;
  last_event: number;
  plan: BatchPlan | null;
}

export interface BatchPlan {
  max_concurrent: number;
  groups: Array<{ group_id: string | number; agent_type: string; total_nodes: number }>;
}

export interface NodeRow {
  node_id: string;
  /** Its place in the plan's groups. */
  group_no: number | null;
  status: NodeStatus | null;
  result: unknown;
  error: string | null;
  started_at: Date | null;
  completed_at: Date | null;
  carried: boolean;
}

/** Why a call about a run has changed nothing. */
export type Refusal =
  | "session_not_found"
  | "session_over"
  | "attempt_replaced"
  | "attempt_unknown"
  | "held"
  | "invalid_transition"
  | "results_disagree"
  | "too_many_nodes"
  | "unknown_node"
  | "run_full"
  | "not_resumable";

/** What became of a call, and the run after it; of a session that there is not, no run. */
export type BatchOutcome<Done extends string> = { outcome: Done | Refusal } & BatchRow & HolderRow;

/** Who has the run; nulls before the first claim. */
interface HolderRow {
  claimed_at: Date | null;
  worker_seen: Date | null;
}

export interface NewBatch {
  sessionId: string;
  canvasPath: string;
  nodeCount: number;
  metadata: Record<string, unknown>;
  timeoutSeconds: number | null;
  idempotency: Idempotency | undefined;
  plan?: BatchPlan;
  /** The nodes of the plan. */
  nodes?: Array<{ node_id: string; group_no: number }>;
}

/** A new run; or that which the same request has made before. */
export async function insertBatch(
  database: Database,
  batch: NewBatch,
): Promise<BatchRow & { outcome: "created" | "repeated" | "idempotency_conflict" }> {
  const { sessionId, idempotency, plan, nodes } = batch;
  const [row] = await database.requests.query(
    (sql, waits) => sql`
      SELECT v.outcome, b.* FROM create_batch(
        caller_waits(${waits}, ${sessionId}::uuid), ${batch.canvasPath}, ${batch.nodeCount}, ${json(sql, batch.metadata)},
        ${batch.timeoutSeconds}, ${idempotency?.key ?? null}, ${idempotency?.hash ?? null}, ${json(sql, plan)},
        ${json(sql, nodes)}) v, view_batch(v.run) b`,
  );
  return row as BatchRow & { outcome: "created" | "repeated" | "idempotency_conflict" };
}

export function claimBatchRow(
  database: Database,
  claim: { sessionId: string; worker: string | null; mayReplace: boolean },
): Promise<BatchOutcome<"claimed">> {
  return change(database, claim.sessionId, (sql, id) => sql`claim_batch(${id}, ${claim.worker}, ${claim.mayReplace})`);
}

export function moveBatchRow(
  database: Database,
  move: { sessionId: string; status: BatchStatus; errorMessage: string | null; attempt: number | null },
): Promise<BatchOutcome<"moved">> {
  return change(
    database,
    move.sessionId,
    (sql, id) => sql`move_batch(${id}, ${move.status}, ${move.errorMessage}, ${move.attempt})`,
  );
}

export function completeBatchRow(
  database: Database,
  end: { sessionId: string; errorMessage: string | null; percent: number | null; attempt: number | null },
): Promise<BatchOutcome<"moved">> {
  return change(
    database,
    end.sessionId,
    (sql, id) => sql`complete_batch(${id}, ${end.errorMessage}, ${end.percent}, ${end.attempt})`,
  );
}

export function reportBatchRow(
  database: Database,
  report: { sessionId: string; percent: number | null; message: string | null; attempt: number | null },
): Promise<BatchOutcome<"reported">> {
  return change(
    database,
    report.sessionId,
    (sql, id) => sql`report_batch(${id}, ${report.percent}, ${report.message}, ${report.attempt})`,
  );
}

export function cancelBatchRow(
  database: Database,
  sessionId: string,
  reason: string | null,
  by: Operator | null,
): Promise<BatchOutcome<"cancelled">> {
  const audit = by && { by, action: "batch_cancelled", on: "cancelled", reason };
  return change(database, sessionId, (sql, id) => sql`cancel_batch(${id}, ${reason})`, audit);
}

/** What runs has failed, what never began is cancelled. */
export function forceEndRow(
  database: Database,
  sessionId: string,
  reason: string | null,
  by: Operator,
): Promise<BatchOutcome<"ended">> {
  const audit = { by, action: "batch_ended", on: "ended", reason };
  return change(database, sessionId, (sql, id) => sql`force_batch_end(${id}, ${reason})`, audit);
}

/** Of a large run it may take longer than its caller waits; then it goes on, and the next call finds it. */
export function resumeBatchRow(
  database: Database,
  sessionId: string,
  newSessionId: string,
  by: Operator | null,
): Promise<BatchOutcome<"resumed" | "repeated">> {
  const audit = by && { by, action: "batch_resumed", on: "resumed", reason: null };
  return change(database, sessionId, (sql, id) => sql`resume_batch(${id}, ${newSessionId}::uuid)`, audit);
}

/** Results of one run go one after the other, so those of one do not take every connection to wait for its lock. */
async function change<Done extends string>(
  database: Database,
  sessionId: string,
  call: (sql: Sql, id: ReturnType<Sql>) => ReturnType<Sql>,
  audit: Audit | null = null,
): Promise<BatchOutcome<Done>> {
  const lane = audit ? database.operators : database.requests;
  const [row] = await lane.query(
    (sql, waits) => sql`
      SELECT v.outcome, b.*, (v.run).claimed_at, (v.run).worker_seen ${audit ? sql`, ${entryOf(sql, sessionId, audit)}` : sql``}
      FROM ${call(sql, sql`caller_waits(${waits}, ${sessionId}::uuid)`)} v, view_batch(v.run, count_nodes_now((v.run).run)) b`,
    turnOf(sessionId),
  );
  return row as unknown as BatchOutcome<Done>;
}

/** An operator's act, for the audit log, if it comes to that outcome. */
interface Audit {
  by: Operator;
  action: string;
  on: string;
  reason: string | null;
}

const entryOf = (sql: Sql, sessionId: string, { by, action, on, reason }: Audit) => sql`
  CASE WHEN v.outcome = ${on} THEN record_audit(${by.who}, ${by.from}, ${action}, NULL, jsonb_strip_nulls(
    jsonb_build_object('batch_session_id', ${sessionId}::text, 'reason', ${reason}::text))) END AS entry`;

/** Takes away all that is known of a run; the entry does not say of which. Returns whether there was anything. */
export async function eraseBatchRow(database: Database, sessionId: string, by: Operator): Promise<boolean> {
  const [row] = await database.operators.query(
    (sql, waits) => sql`
      SELECT done.known, CASE WHEN done.known THEN record_audit(${by.who}, ${by.from}, 'batch_erased', NULL, NULL) END AS entry
      FROM erase_batch(caller_waits(${waits}, ${sessionId}::uuid)) done`,
  );
  return row?.known;
}

export interface NodeReport {
  sessionId: string;
  nodeId: string;
  status: NodeStatus;
  result: unknown;
  error: string | null;
  startedAt: string | null;
  completedAt: string | null;
  attempt: number | null;
}

/** Takes in a node's result. Stored: the node as it is then; else the run, for who is told why not. */
export async function putNodeRow(
  database: Database,
  node: NodeReport,
): Promise<{ outcome: "stored" | "duplicate"; node: NodeRow } | BatchOutcome<never>> {
  const until = performance.now() + REQUEST_DEADLINE_MS;
  const [row] = await database.requests.query(
    (sql, waits) => sql`
      SELECT v.outcome, (v.stored).* FROM put_node(
        caller_waits(${waits}, ${node.sessionId}::uuid), ${node.nodeId}, ${node.status}, ${json(sql, node.result)},
        ${node.error}, ${node.startedAt}::timestamptz, ${node.completedAt}::timestamptz, ${node.attempt},
        ${RUN_RESULTS_BYTES_MAX}) v`,
    turnOf(node.sessionId),
    until,
  );
  const { outcome, ...stored } = row as unknown as { outcome: string } & NodeRow;
  if (outcome === "stored" || outcome === "duplicate") return { outcome, node: stored };
  const [run] = await database.requests.query(
    (sql) => sql`
      SELECT b.*, s.claimed_at, s.worker_seen FROM batch_sessions s, view_batch(s) b WHERE s.session_id = ${node.sessionId}`,
    undefined,
    until,
  );
  return { ...(run as unknown as BatchRow & HolderRow), outcome: outcome as Refusal };
}

const turnOf = (sessionId: string) => `batch ${sessionId}`;

/** As jsonb; nothing at all is null. */
const json = (sql: Sql, value: unknown) => (value === undefined || value === null ? null : sql.json(value as never));
