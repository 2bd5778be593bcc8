/** Every statement of batch sessions. What each guarantees stands with its function in migrations/functions/batch.sql. */
import type { Operator } from "../../audit/operator.ts";
import { type Database, REQUEST_DEADLINE_MS } from "../../database/database.ts";
import type { Sql } from "../../database/lane.ts";
import type { BatchSession, BatchStatus, NodeStatus } from "./contract.ts";

/** Of all results of one run. */
const RUN_RESULTS_BYTES_MAX = 1024 ** 3;
const BRIEF_ERROR_LENGTH = 1_000;

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
  /** The client's own name for the request, and the request. */
  idempotency: { key: string; hash: Buffer } | undefined;
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

/** Undefined: there is no such run. */
export function selectBatch(database: Database, sessionId: string): Promise<BatchRow | undefined> {
  return selectSettled(database, sessionId, (sql) => sql`SELECT b.*, ${overdue(sql)} FROM ${viewOf(sql, sessionId)}`);
}

/** The run with the nodes that are in; without them where they are more, or larger, than may be shown. */
export function selectBatchWithResults(
  database: Database,
  sessionId: string,
  max: { results: number; bytes: number },
): Promise<(BatchRow & { nodes: Array<Omit<NodeRow, keyof WireTimes | "group_no"> & WireTimes> | null }) | undefined> {
  return selectSettled(
    database,
    sessionId,
    (sql) => sql`
      SELECT b.*, ${overdue(sql)}, CASE
        WHEN b.completed_nodes + b.failed_nodes + b.skipped_nodes > ${max.results} OR b.result_bytes > ${max.bytes} THEN NULL
        ELSE coalesce((
          SELECT json_agg(json_build_object('node_id', n.node_id, 'status', n.status, 'result', n.result, 'error', n.error,
                          'started_at', n.started_at, 'completed_at', n.completed_at, 'carried', n.carried) ORDER BY n.node_id)
          FROM batch_nodes n WHERE n.run = b.number AND n.status IS NOT NULL), '[]') END AS nodes
      FROM ${viewOf(sql, sessionId)}`,
  );
}

/**
 * A run by a statement that reads all of it at one moment, and says whether it is overdue; one whose time is over is ended
 * first. Undefined: there is no such run.
 */
export async function selectSettled<Row>(
  database: Database,
  sessionId: string,
  select: (sql: Sql) => ReturnType<Sql>,
): Promise<Row | undefined> {
  const until = performance.now() + REQUEST_DEADLINE_MS;
  const look = async () =>
    (await database.requests.query(select, undefined, until))[0] as (Row & { overdue: boolean }) | undefined;
  const row = await look();
  if (!row?.overdue) return row;
  await database.requests.query(
    (sql, waits) => sql`SELECT FROM read_batch(caller_waits(${waits}, ${sessionId}::uuid))`,
    undefined,
    until,
  );
  return look();
}

/** The run `s`, and how it stands, `b`. */
const viewOf = (sql: Sql, sessionId: string) =>
  sql`batch_sessions s, view_batch(s) b WHERE s.session_id = ${sessionId}`;

export const overdue = (sql: Sql) =>
  sql`(SELECT o.reason IS NOT NULL FROM batch_overdue(s, clock_timestamp()) o) AS overdue`;

interface WireTimes {
  started_at: string | null;
  completed_at: string | null;
}

export interface BatchPage {
  status: BatchStatus | undefined;
  before: number | undefined;
  limit: number;
  /** Those with that id, or with a path that begins so. */
  search?: { id: string | null; beginning: string } | undefined;
}

/** Newest first, `before` excluded. */
export async function selectBatches(
  database: Database,
  { status, before = Number.MAX_SAFE_INTEGER, limit, search }: BatchPage,
): Promise<BatchRow[]> {
  return database.requests.query(
    (sql) => sql<BatchRow[]>`
      SELECT b.* FROM (
        SELECT s FROM batch_sessions s
        WHERE s.run < ${before} ${status === undefined ? sql`` : sql`AND s.status = ${status}`}
          ${search === undefined ? sql`` : sql`AND (s.session_id = ${search.id} OR starts_with(s.canvas_path, ${search.beginning}))`}
        ORDER BY s.run DESC LIMIT ${limit}) page, view_batch(page.s) b ORDER BY b.number DESC`,
  );
}

export interface NodePage {
  number: number;
  /** Null: those still to do. */
  status: NodeStatus | null | undefined;
  after: string | undefined;
  limit: number;
  /** Without results, and of an error the beginning, as there may be megabytes of both. */
  brief?: boolean;
}

/** By node id, `after` excluded. */
export async function selectNodes(database: Database, page: NodePage): Promise<NodeRow[]> {
  return database.requests.query(
    (sql) => sql<NodeRow[]>`
      SELECT n.node_id, n.group_no, n.status, n.started_at, n.completed_at, n.carried,
        ${page.brief ? sql`NULL AS result, left(n.error, ${BRIEF_ERROR_LENGTH}) AS error` : sql`n.result, n.error`}
      FROM batch_nodes n
      WHERE n.run = ${page.number} ${page.after === undefined ? sql`` : sql`AND n.node_id > ${page.after}`}
        ${page.status === undefined ? sql`` : sql`AND n.status IS NOT DISTINCT FROM ${page.status}`}
      ORDER BY n.node_id LIMIT ${page.limit}`,
  );
}

/** How many runs there are, by status. */
export async function countBatches(database: Database): Promise<Array<{ status: BatchStatus; count: number }>> {
  return database.requests.query(
    (sql) => sql<Array<{ status: BatchStatus; count: number }>>`
      SELECT s.status, count(*)::int AS count FROM batch_sessions s GROUP BY s.status`,
  );
}

/** Those with ids from one to another, newest first. */
export async function selectMeantBatches(
  database: Database,
  { from, to, limit }: { from: string; to: string; limit: number },
): Promise<BatchRow[]> {
  return database.requests.query(
    (sql) => sql<BatchRow[]>`
      SELECT b.* FROM (
        SELECT s FROM batch_sessions s WHERE s.session_id BETWEEN ${from}::uuid AND ${to}::uuid
        ORDER BY s.run DESC LIMIT ${limit}) page, view_batch(page.s) b ORDER BY b.number DESC`,
  );
}

export interface SettleRow {
  looked_at: number;
  ended: number;
}

/** Ends at most so many runs whose time is over. */
export async function settleBatchRows(
  database: Database,
  lane: "requests" | "background",
  atMost: number,
): Promise<SettleRow> {
  const [row] = await database[lane].query(
    (sql, waits) => sql`SELECT * FROM settle_batches(caller_waits(${waits}, ${atMost}::int))`,
  );
  return row as unknown as SettleRow;
}

/** Forgets runs that ended longer ago than the retention; several calls may be needed. Returns how many. */
export async function forgetBatches(database: Database, retentionDays: number): Promise<number> {
  const [row] = await database.background.query((sql) => sql`SELECT forget_batches(${retentionDays}) AS forgotten`);
  return row?.forgotten;
}

export async function configureBatches(database: Database, silenceSeconds: number): Promise<void> {
  await database.background.query((sql) => sql`SELECT configure_batches(${silenceSeconds})`);
}

const turnOf = (sessionId: string) => `batch ${sessionId}`;

/** As jsonb; nothing at all is null. */
const json = (sql: Sql, value: unknown) => (value === undefined || value === null ? null : sql.json(value as never));

/** The events of a run after one, and how it stands, of one moment. */
export interface TidingsRow extends BatchRow {
  /** Null: none. */
  events: Array<{ id: number; event: string; at: string; data: Record<string, unknown> }> | null;
  /** Until its time is over; null: it has ended. */
  due_in_ms: number | null;
}

export async function selectTidings(
  database: Database,
  asked: Array<{ session_id: string; after: number }>,
  eventsMax: number,
): Promise<TidingsRow[]> {
  return database.requests.query(
    (sql) => sql<TidingsRow[]>`
      SELECT b.*, CASE WHEN b.completed_at IS NULL THEN
          extract(epoch FROM least(b.silent_until, b.deadline_at) - clock_timestamp())::float8 * 1000 END AS due_in_ms,
        (SELECT json_agg(json_build_object('id', e.id, 'event', e.event, 'at', e.at, 'data', e.data) ORDER BY e.id)
         FROM (SELECT e.* FROM batch_events e WHERE e.run = s.run AND e.id > asked.after ORDER BY e.id LIMIT ${eventsMax}) e) AS events
      FROM jsonb_to_recordset(${sql.json(asked)}) AS asked (session_id uuid, after bigint)
      JOIN batch_sessions s USING (session_id), view_batch(s) b`,
  );
}

/** The oldest event of a run that is kept; the next one where there is none. */
export async function selectFirstEvent(database: Database, number: number): Promise<number> {
  const [row] = await database.requests.query(
    (sql) => sql`
      SELECT coalesce((SELECT min(e.id) FROM batch_events e WHERE e.run = s.run), s.last_event + 1) AS first
      FROM batch_sessions s WHERE s.run = ${number}`,
  );
  return row?.first ?? 1;
}

export interface GroupCountsRow {
  group_no: number;
  status: "pending" | "running" | "completed" | "failed";
  completed: number;
  failed: number;
  skipped: number;
}

/** How far the groups of a run's plan are, in its order. */
export async function selectGroups(database: Database, number: number): Promise<GroupCountsRow[]> {
  return database.requests.query(
    (sql) => sql<GroupCountsRow[]>`
      SELECT g.*, batch_group_status(g.total, g.completed, g.failed, g.skipped, s.completed_at IS NOT NULL) AS status
      FROM (
        SELECT n.run, n.group_no, count(*)::int AS total, (count(*) FILTER (WHERE n.status = 'success'))::int AS completed,
               (count(*) FILTER (WHERE n.status = 'failed'))::int AS failed,
               (count(*) FILTER (WHERE n.status = 'skipped'))::int AS skipped
        FROM batch_nodes n WHERE n.run = ${number} AND n.group_no IS NOT NULL GROUP BY n.run, n.group_no) g
      JOIN batch_sessions s USING (run) ORDER BY g.group_no`,
  );
}

export interface BatchNumbers {
  pending: number;
  running: number;
  /** Of them, those that were claimed and whose worker was not heard of for a minute, and those that nobody claims for as long. */
  pending_alone: number;
  running_alone: number;
  /** Within the last hour, by why. */
  ended: Record<string, number>;
}

/** For the metrics, whether or not somebody has tidied; takes no lock. Only of a run that may be over the rules are asked. */
export async function selectBatchNumbers(database: Database): Promise<BatchNumbers> {
  const [row] = await database.background.query(
    (sql) => sql<BatchNumbers[]>`
      WITH present AS MATERIALIZED (
        SELECT c.at, silence_cutoff(c.at, batch_claim_lasts()) AS cutoff, c.at - interval '1 hour' AS hour_ago, c.clock_steps
        FROM (SELECT clock_timestamp() AS at, s.clock_steps FROM present_state() s) c
      ), unended AS MATERIALIZED (
        SELECT s.status = 'pending' AS pending,
          CASE WHEN s.status = 'pending' THEN s.created_at
               WHEN s.clock_steps = p.clock_steps THEN s.worker_seen
               ELSE by_present_clock(s.worker_seen, s.clock_steps) END <= p.cutoff AS alone,
          CASE WHEN s.not_over_before <= p.at OR s.clock_steps < p.clock_steps THEN (batch_overdue(s, p.at)).reason END AS reason,
          CASE WHEN s.not_over_before <= p.at OR s.clock_steps < p.clock_steps THEN (batch_overdue(s, p.at)).since END AS since
        FROM batch_sessions s, present p WHERE s.completed_at IS NULL
      ), endings AS (
        SELECT s.ended_reason AS reason FROM batch_sessions s WHERE s.completed_at > (SELECT p.hour_ago FROM present p)
        UNION ALL
        SELECT u.reason FROM unended u WHERE u.since > (SELECT p.hour_ago FROM present p)
      )
      SELECT count(*) FILTER (WHERE u.pending)::int AS pending, count(*) FILTER (WHERE NOT u.pending)::int AS running,
             count(*) FILTER (WHERE u.pending AND u.alone)::int AS pending_alone,
             count(*) FILTER (WHERE NOT u.pending AND u.alone)::int AS running_alone,
             (SELECT coalesce(json_object_agg(e.reason, e.n), '{}')
              FROM (SELECT reason, count(*) AS n FROM endings GROUP BY reason) e) AS ended
      FROM unended u WHERE u.reason IS NULL`,
  );
  return row as BatchNumbers;
}
