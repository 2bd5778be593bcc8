/** Why a call about a run has changed nothing, in the words of the wire. */
import { AppError } from "../../errors.ts";
import { noSuchSession } from "../no-such-session.ts";
import type { Holder } from "./contract.ts";
import type { BatchOutcome, BatchRow, Refusal } from "./sql.ts";

/** Hands through the run where the call was carried out; throws what it was refused for. */
export function unlessRefused<Done extends string>(
  row: BatchOutcome<Done>,
  asked: { status?: string } = {},
): BatchRow & { outcome: Done } {
  const refuse = REFUSALS[row.outcome as Refusal] as ((row: BatchOutcome<Done>, to: string) => AppError) | undefined;
  if (refuse) throw refuse(row, asked.status ?? "completed");
  return row as unknown as BatchRow & { outcome: Done };
}

type Row = BatchOutcome<never>;

const REFUSALS: Record<Refusal, (row: Row, to: string) => AppError> = {
  session_not_found: noSuchSession,
  session_over: (row) => new AppError("session_over", `The session is over: ${row.status}`, endingOf(row)),
  attempt_replaced: (row) =>
    new AppError("attempt_replaced", "Another worker has claimed the session since", { holder: holderOf(row) }),
  attempt_unknown: () =>
    new AppError("invalid_request", "Invalid request: attempt: was never given", {
      issues: [{ path: "attempt", message: "was never given" }],
    }),
  held: (row) => new AppError("claimed", "Another worker has the session", { holder: holderOf(row) }),
  invalid_transition: (row, to) =>
    new AppError("invalid_transition", `A session that is ${row.status} does not become ${to}`, {
      from: row.status,
      to,
      ...endingOf(row),
    }),
  results_disagree: (row) =>
    new AppError("results_disagree", "The session has failed nodes, so it is not completed", {
      completed_nodes: row.completed_nodes,
      failed_nodes: row.failed_nodes,
      skipped_nodes: row.skipped_nodes,
      node_count: row.node_count,
    }),
  too_many_nodes: (row) =>
    new AppError("too_many_nodes", `The session has ${row.node_count} nodes, and all of them have a result`, {
      node_count: row.node_count,
    }),
  unknown_node: () => new AppError("unknown_node", "The session has no such node"),
  run_full: () => new AppError("run_full", "The session holds as many results as it may, 1 GiB"),
  not_resumable: (row) =>
    new AppError("not_resumable", "Only a session that ended without completing can be resumed", {
      status: row.status,
    }),
};

function endingOf({ status, ended_reason, error_message, attempt }: Row) {
  return { status, ended_reason, error_message, attempt };
}

function holderOf(row: Row): Holder {
  return {
    worker: row.worker,
    since: (row.claimed_at as Date).toISOString(),
    last_seen: (row.worker_seen as Date).toISOString(),
    attempt: row.attempt,
  };
}
