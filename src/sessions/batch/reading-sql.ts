/** How runs are read: each of one moment, and none alive whose time is over. */
import { type Database, REQUEST_DEADLINE_MS } from "../../database/database.ts";
import type { Sql } from "../../database/lane.ts";
import type { BatchStatus, NodeStatus } from "./contract.ts";
import type { BatchRow, NodeRow } from "./sql.ts";

const BRIEF_ERROR_LENGTH = 1_000;

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
