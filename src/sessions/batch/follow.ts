/** What is told of a run to whoever follows it (see events/replay.ts). */
import type { Database } from "../../database/database.ts";
import type { Listener } from "../../database/listener.ts";
import { createReplay, type Replay } from "../../events/replay.ts";
import type { Logger } from "../../log.ts";
import { selectFirstEvent, selectTidings, type TidingsRow } from "./event-sql.ts";
import { selectBatch } from "./reading-sql.ts";
import type { BatchRow } from "./sql.ts";

const EVENTS_MAX = 500;

export function openBatchReplay(deps: { database: Database; listener: Listener; log: Logger }): Replay {
  const { database, listener, log } = deps;
  const look = async (subjects: Array<{ subject: string; after: number }>) => {
    const asked = subjects.map(({ subject, after }) => ({ session_id: subject, after }));
    return new Map((await readTidings(database, asked)).map((row) => [row.session_id, tidingsOf(row)]));
  };
  return createReplay({ look, listener, channel: "keybeat_batch", log });
}

/** How those runs stand, and a bounded number of events of each after that one; a run that is missing is gone. */
export async function readTidings(
  database: Database,
  asked: Array<{ session_id: string; after: number }>,
): Promise<TidingsRow[]> {
  const rows = await selectTidings(database, asked, EVENTS_MAX);
  // Nobody else may call while it is followed; its end is told by what this notifies.
  const overdue = rows.filter(({ due_in_ms }) => due_in_ms !== null && due_in_ms <= 0);
  await Promise.all(overdue.map(({ session_id }) => selectBatch(database, session_id)));
  return rows;
}

export function tidingsOf(row: TidingsRow) {
  const events = (row.events ?? []).map(({ id, event, at, data }) => {
    const more = event === "complete" && row.resumed_as !== null ? { resumed_as: row.resumed_as } : {};
    return { id, event, data: tell(row, event, new Date(at), { ...data, ...more }) };
  });
  return {
    events,
    complete: events.length < EVENTS_MAX,
    state: { event: "progress", values: progressOf(row), data: tell(row, "progress", row.updated_at, progressOf(row)) },
    over: row.completed_at !== null,
    dueInMs: row.due_in_ms ?? undefined,
  };
}

/** How far it is, as the event `progress` says it. */
export function progressOf(row: BatchRow) {
  return {
    progress_percent: row.progress_percent,
    message: row.message,
    completed_nodes: row.completed_nodes,
    failed_nodes: row.failed_nodes,
    skipped_nodes: row.skipped_nodes,
    total_nodes: row.node_count,
  };
}

export function tell(run: { session_id: string }, type: string, at: Date, data: object) {
  return { type, task_id: run.session_id, timestamp: at.toISOString(), data };
}

/** How far it has come, and what it says of that. */
export const standingOf = (run: BatchRow) => ({
  lastEvent: run.last_event,
  over: run.completed_at !== null,
  values: progressOf(run),
});

/** The id of its oldest event that is kept. */
export const findFirst = (database: Database, { number }: BatchRow) => selectFirstEvent(database, number);
