import { randomUUID } from "node:crypto";
import type { Database } from "../../database/database.ts";
import { idempotencyConflict, identify } from "../idempotency.ts";
import type { BatchSession, CreateRequest } from "./contract.ts";
import { describeSession } from "./session.ts";
import { type BatchRow, insertBatch, type NewBatch } from "./sql.ts";

/**
 * Makes a session, pending. With an `idempotencyKey` (kept for 24 h) the same request gives the same answer, whatever has
 * become of the session since. Throws an AppError: idempotency_conflict, or unavailable.
 */
export async function createSession(
  database: Database,
  request: CreateRequest,
  idempotencyKey: string | undefined,
): Promise<BatchSession> {
  const row = await createRun(
    database,
    {
      canvasPath: request.canvas_path,
      nodeCount: request.node_count,
      metadata: request.metadata,
      timeoutSeconds: request.timeout_seconds ?? null,
    },
    idempotencyKey,
  );
  return describeSession(asCreated(row), []);
}

/** As createSession, for whoever has named the nodes as well. The row is as the run stands now. */
export async function createRun(
  database: Database,
  batch: Omit<NewBatch, "sessionId" | "idempotency">,
  idempotencyKey: string | undefined,
): Promise<BatchRow> {
  const row = await insertBatch(database, {
    ...batch,
    sessionId: randomUUID(),
    idempotency: identify(idempotencyKey, batch),
  });
  if (row.outcome === "idempotency_conflict") throw idempotencyConflict();
  return row;
}

/** As it was when it was made. */
function asCreated(row: BatchRow): BatchRow {
  return {
    ...row,
    status: "pending",
    updated_at: row.created_at,
    started_at: null,
    completed_at: null,
    progress_percent: 0,
    completed_nodes: 0,
    failed_nodes: 0,
    skipped_nodes: 0,
    error_message: null,
    attempt: 0,
    worker: null,
    message: null,
    ended_reason: null,
    silent_until: new Date(row.created_at.getTime() + row.silence_seconds * 1000),
    deadline_at: null,
    resumed_as: null,
    estimated_completion: null,
  };
}
