import type { Database } from "../../database/database.ts";
import { noSuchSession } from "../no-such-session.ts";
import { type BatchSession, type NodesQuery, SHOWN_BYTES_MAX, SHOWN_RESULTS_MAX } from "./contract.ts";
import { selectBatch, selectBatchWithResults, selectNodes } from "./reading-sql.ts";
import { describeNode, describeSession } from "./session.ts";
import type { BatchRow, NodeRow } from "./sql.ts";

/** The session as it is now, with its results where they are few and small enough. Throws session_not_found, or unavailable. */
export async function readSession(database: Database, sessionId: string, withResults: boolean): Promise<BatchSession> {
  if (!withResults) return describeSession(await readRun(database, sessionId));
  return (await readWhole(database, sessionId)).session;
}

/** The same, and its row. */
export async function readWhole(
  database: Database,
  sessionId: string,
): Promise<{ run: BatchRow; session: BatchSession }> {
  const row = await selectBatchWithResults(database, sessionId, { results: SHOWN_RESULTS_MAX, bytes: SHOWN_BYTES_MAX });
  if (row === undefined) throw noSuchSession();
  const nodes = row.nodes?.map((node) =>
    describeNode({ ...node, started_at: date(node.started_at), completed_at: date(node.completed_at) }),
  );
  return { run: row, session: describeSession(row, nodes) };
}

/** A page of its nodes by their id. Throws session_not_found, or unavailable. */
export async function listNodes(database: Database, sessionId: string, asked: NodesQuery) {
  const run = await readRun(database, sessionId);
  const { rows, next_cursor } = await readNodes(database, run, asked);
  return { nodes: rows.map(describeNode), next_cursor };
}

/** The same as it is stored, of a run that has been read; `brief`: without results, and the beginning of an error. */
export async function readNodes(
  database: Database,
  { number }: BatchRow,
  { status, limit, cursor, brief }: NodesQuery & { brief?: boolean },
): Promise<{ rows: NodeRow[]; next_cursor: string | null }> {
  const rows = await selectNodes(database, {
    number,
    status: status === "pending" ? null : status,
    after: cursor,
    limit: limit + 1,
    brief,
  });
  const shown = rows.slice(0, limit);
  return { rows: shown, next_cursor: rows.length > limit ? (shown.at(-1)?.node_id as string) : null };
}

/** Throws session_not_found, or unavailable. */
export async function readRun(database: Database, sessionId: string): Promise<BatchRow> {
  const row = await selectBatch(database, sessionId);
  if (row === undefined) throw noSuchSession();
  return row;
}

const date = (text: string | null) => (text === null ? null : new Date(text));
