/** Batch sessions under the model's eyes: calls the verbs, moves their time, reads their rows. */
import { AppError } from "../../../../src/errors.ts";
import { cleanUpBatches } from "../../../../src/sessions/batch/cleanup.ts";
import type { BatchSession, NodeItem } from "../../../../src/sessions/batch/contract.ts";
import { eraseSession } from "../../../../src/sessions/batch/erase.ts";
import { forceEnd } from "../../../../src/sessions/batch/force-end.ts";
import {
  cancelSession,
  claimSession,
  completeSession,
  createSession,
  moveSession,
  putResult,
  readSession,
  reportProgress,
  resumeSession,
} from "../../../../src/sessions/batch/index.ts";
import { readStats } from "../../../../src/sessions/batch/list.ts";
import { executeGroups } from "../../../../src/sessions/batch/parallel/execute.ts";
import { readTaskStatus } from "../../../../src/sessions/batch/parallel/status.ts";
import { cloneDatabase, type TestDatabase } from "../../../support/database.ts";
import { BY } from "../../../support/operator.ts";
import { type Call, RESULTS, SHAPES } from "./model-commands.ts";
import type { Answer, ModelRun, Reference } from "./model-reference.ts";

const BEGAN = "2026-03-02T09:00:00.000Z";
const ENDED = "2026-03-02T09:00:02.500Z";

export interface Lane extends TestDatabase {
  drop(): Promise<void>;
}

/** What is not flushed to disk at every commit is lost only in a crash, and none happens here. */
export async function openLane(): Promise<Lane> {
  const db = await cloneDatabase();
  await db.sql.unsafe(`ALTER DATABASE ${db.name} SET synchronous_commit = off`);
  return db;
}

export async function empty(db: TestDatabase): Promise<void> {
  await db.sql.unsafe("DELETE FROM batch_sessions; DELETE FROM batch_idempotency_keys;");
}

/** Every answer of the program in the words of the reference, refusals included; throws what is neither. */
export async function ask({ database }: TestDatabase, call: Call): Promise<Answer> {
  try {
    return await askVerb(database, call);
  } catch (error) {
    if (!(error instanceof AppError) || error.code === "unavailable") throw error;
    return refusal(error);
  }
}

async function askVerb(database: TestDatabase["database"], call: Call): Promise<Answer> {
  switch (call.do) {
    case "create": {
      const { nodes: node_count, timeout } = call;
      const request = { canvas_path: "a.canvas", node_count, metadata: {}, timeout_seconds: timeout ?? undefined };
      const made = await createSession(database, request, call.key ?? undefined);
      return { is: "made", id: made.session_id, ...show(made) };
    }
    case "execute": {
      const shape = SHAPES[call.shape] as (typeof SHAPES)[number];
      const groups = shape.map((nodes, n) => ({ group_id: `g${n}`, agent_type: "writer", node_ids: [...nodes] }));
      const request = { canvas_path: "a.canvas", groups, max_concurrent: 12, timeout: call.timeout };
      return { is: "made", id: (await executeGroups(database, request, call.key ?? undefined)).session_id };
    }
    case "read": {
      const session = await readSession(database, call.id, true);
      const results = Object.entries(session.node_results).map(([id, node]) => [id, nodeOf(node)]);
      return { is: "shown", ...show(session), results: Object.fromEntries(results) };
    }
    case "status": {
      const {
        status,
        progress_percent: progress,
        error_message: error,
        groups,
      } = await readTaskStatus(database, call.id);
      const shown = groups.map((group) => ({
        status: group.status,
        done: group.results.map(({ node_id }) => node_id),
        failed: group.errors.map(({ node_id }) => node_id),
      }));
      return { is: "shown", status, progress, error, groups: shown };
    }
    case "claim": {
      const on_conflict = call.replace ? "replace" : "refuse";
      const claim = { worker: call.worker ?? undefined, on_conflict } as const;
      return { is: "claimed", ...show(await claimSession(database, call.id, claim)) };
    }
    case "move": {
      const move = { status: call.to, error_message: call.message ?? undefined, attempt: call.attempt ?? undefined };
      return { is: `moved to ${call.to}`, ...show(await moveSession(database, call.id, move)) };
    }
    case "complete": {
      const session = await completeSession(database, call.id, {
        error_message: call.message ?? undefined,
        progress_percent: call.percent ?? undefined,
        attempt: call.attempt ?? undefined,
      });
      return { is: `ended as ${session.status}`, ...show(session) };
    }
    case "progress": {
      const reply = await reportProgress(database, call.id, {
        progress_percent: call.percent ?? undefined,
        message: call.message ?? undefined,
        attempt: call.attempt ?? undefined,
      });
      const { status, progress_percent: progress, message, attempt } = reply;
      return { is: "reported", status, progress, silentIn: secondsUntil(reply.silent_until), message, attempt };
    }
    case "put": {
      const { status } = call;
      const reply = await putResult(
        database,
        { sessionId: call.id, nodeId: call.node },
        {
          status,
          result: RESULTS[call.result],
          error: status === "failed" ? "no such page" : undefined,
          ...(call.timed && { started_at: BEGAN, completed_at: ENDED }),
          attempt: call.attempt ?? undefined,
        },
      );
      return { is: reply.duplicate ? "duplicate" : "stored", node: nodeOf(reply) };
    }
    case "cancel":
      return {
        is: "cancelled",
        count: (await cancelSession(database, call.id, call.reason ?? undefined, null)).completed_count,
      };
    case "force end":
      return { is: "ended", ...show(await forceEnd(database, call.id, call.reason ?? undefined, BY)) };
    case "resume": {
      const { isNew, session } = await resumeSession(database, call.id, null);
      return { is: isNew ? "resumed" : "resumed before", id: session.session_id, ...show(session) };
    }
    case "erase":
      await eraseSession(database, call.id, BY);
      return { is: "erased" };
    case "stats": {
      const { by_status, active_sessions, total_sessions } = await readStats(database);
      const by = Object.fromEntries(Object.entries(by_status).filter(([, n]) => n > 0)) as Record<string, number>;
      const total = Object.values(by).reduce((a, b) => a + b, 0);
      const active = (by.pending ?? 0) + (by.running ?? 0);
      return { is: active === active_sessions && total === total_sessions ? "counts" : "sums that lie", by };
    }
    case "cleanup": {
      const done = await cleanUpBatches(database, { retentionDays: 7, untilMs: Number.POSITIVE_INFINITY });
      const is = done.forgotten > 0 ? "forgets some" : done.ended > 0 ? "ends some" : "finds none";
      return { is, ...done };
    }
  }
}

function refusal({ code, data }: AppError): Answer {
  const ending = [data.status, data.ended_reason, data.error_message, data.attempt];
  const holder = data.holder as { worker: string | null; attempt: number };
  const said = { worker: holder?.worker, attempt: holder?.attempt };
  switch (code) {
    case "session_over":
      return { is: code, ending };
    case "invalid_transition":
      return { is: code, from: data.from, to: data.to, ending };
    case "claimed":
      return { is: "claimed by another", holder: said };
    case "attempt_replaced":
      return { is: code, holder: said };
    case "results_disagree": {
      const [success, failed, skipped] = [data.completed_nodes, data.failed_nodes, data.skipped_nodes] as number[];
      const processed = (success ?? 0) + (failed ?? 0) + (skipped ?? 0);
      return { is: code, counts: { success, failed, skipped, processed } };
    }
    case "not_resumable":
      return { is: code, status: data.status };
    default:
      return { is: code };
  }
}

function show(session: BatchSession) {
  return {
    status: session.status,
    reason: session.ended_reason,
    error: session.error_message,
    message: session.message,
    worker: session.worker,
    attempt: session.attempt,
    nodeCount: session.node_count,
    progress: session.progress_percent,
    counts: [session.completed_nodes, session.failed_nodes, session.skipped_nodes],
    resumedFrom: session.resumed_from,
    resumedAs: session.resumed_as,
    silentIn: session.silent_until && secondsUntil(session.silent_until),
    deadlineIn: session.deadline_at && secondsUntil(session.deadline_at),
    estimated: session.estimated_completion !== null,
  };
}

const nodeOf = (node: NodeItem) => [node.status, node.result, node.error, node.execution_time_ms, node.carried];

/** The clock runs on while a story is told, so this is a little less than the reference says; and zero is never -0. */
const secondsUntil = (moment: string) => Math.ceil((Date.parse(moment) - Date.now()) / 1000) + 0;

/** Dates the rows so that every run is as old and as silent as the reference says. */
export async function pin(db: TestDatabase, { runs, keys, nowSeconds }: Reference, passed: number): Promise<void> {
  const ago = (seconds: number | null) => (seconds === null ? null : nowSeconds - seconds);
  const dated = runs.map((run) => [
    ...[run.id, ago(run.createdAt), ago(run.updatedAt), ago(run.startedAt), ago(run.endedAt), ago(run.reportedAt)],
    ago(run.seenAt),
  ]);
  const made = [...keys].map(([key, { at }]) => [key, ago(at)]);
  await db.sql`
    WITH keys AS (
      UPDATE batch_idempotency_keys k SET created_at = clock_timestamp() - make_interval(secs => (pair->>1)::int)
      FROM json_array_elements(${JSON.stringify(made)}::text::json) pair WHERE k.key = pair->>0
    ), moment AS (SELECT clock_timestamp() AS at)
    UPDATE batch_sessions s
    SET created_at = at - make_interval(secs => (r->>1)::int), updated_at = at - make_interval(secs => (r->>2)::int),
        started_at = at - make_interval(secs => (r->>3)::int), completed_at = at - make_interval(secs => (r->>4)::int),
        last_report = at - make_interval(secs => (r->>5)::int), worker_seen = at - make_interval(secs => (r->>6)::int),
        not_over_before = s.not_over_before - make_interval(secs => ${passed})
    FROM moment, json_array_elements(${JSON.stringify(dated)}::text::json) r WHERE s.session_id = (r->>0)::uuid`;
}

/** How a run stands in its rows: what is there to see, how long ago everything was, and what has been told. */
type Standing = Record<string, unknown>;

export async function readScene(db: TestDatabase): Promise<Standing[]> {
  const rows = await db.sql`
    WITH ago AS (SELECT clock_timestamp() AS at)
    SELECT s.session_id AS id, s.status, s.ended_reason AS reason, s.error_message AS error, s.message, s.attempt, s.worker,
      s.progress_sent AS sent, s.resumed_from AS "resumedFrom", s.resumed_as AS "resumedAs", s.carried_nodes AS carried,
      floor(extract(epoch FROM at - created_at))::int AS created, floor(extract(epoch FROM at - updated_at))::int AS updated,
      floor(extract(epoch FROM at - started_at))::int AS started, floor(extract(epoch FROM at - completed_at))::int AS ended,
      floor(extract(epoch FROM at - last_report))::int AS reported, floor(extract(epoch FROM at - worker_seen))::int AS seen,
      (s.result_bytes = (SELECT coalesce(sum(node_bytes(n.result, n.error)), 0) FROM batch_nodes n WHERE n.run = s.run)) AS weighed,
      (SELECT coalesce(json_agg(json_build_array(n.node_id, n.group_no, n.status, n.result, n.error, n.carried)
              ORDER BY n.node_id), '[]') FROM batch_nodes n WHERE n.run = s.run) AS nodes,
      (SELECT coalesce(json_agg(json_build_array(e.id, e.event, e.data) ORDER BY e.id), '[]')
       FROM batch_events e WHERE e.run = s.run) AS events
    FROM batch_sessions s, ago ORDER BY s.run`;
  return rows.map(({ events, ...row }) => ({ ...row, events: (events as Event[]).map(describeEvent) }));
}

type Event = [id: number, event: string, data: Record<string, unknown>];

function describeEvent([id, event, data]: Event, index: number): string {
  const counts = `${data.completed_nodes}/${data.failed_nodes}/${data.skipped_nodes} of ${data.total_nodes}`;
  const of = data.group_id === undefined ? "" : ` of ${data.group_id}`;
  const error = data.error === undefined ? "" : ` ${data.error}`;
  const ended = `${data.status} ${data.ended_reason} ${data.error_message}`;
  const results = `${data.success_count}/${data.failure_count}/${data.skipped_count}`;
  const said: Record<string, string> = {
    started: `${data.attempt}`,
    attempt: `${data.attempt} ${data.worker}`,
    node_complete: `${data.node_id} ${data.status}${of}${error}${data.carried ? " carried" : ""} ${counts} ${data.progress_percent}`,
    group_complete: `${data.group_id} ${data.status} ${counts}`,
    complete: `${ended} ${results} in ${Math.floor(data.total_duration as number)}`,
  };
  return `${id === index + 1 ? "" : `number ${id}: `}${event} ${said[event]}`;
}

/** The same of the reference. */
export function describeScene({ runs, nowSeconds }: Reference): Standing[] {
  const ago = (seconds: number | null) => (seconds === null ? null : nowSeconds - seconds);
  return runs.map((run: ModelRun) => ({
    id: run.id,
    status: run.status,
    reason: run.reason,
    error: run.error,
    message: run.message,
    attempt: run.attempt,
    worker: run.worker,
    sent: run.sent,
    resumedFrom: run.resumedFrom,
    resumedAs: run.resumedAs,
    carried: run.carried,
    created: ago(run.createdAt),
    updated: ago(run.updatedAt),
    started: ago(run.startedAt),
    ended: ago(run.endedAt),
    reported: ago(run.reportedAt),
    seen: ago(run.seenAt),
    weighed: true,
    nodes: [...run.nodes]
      .map(([id, { group, status, result, error, carried }]) => [id, group, status, result, error, carried])
      .sort(([a], [b]) => ((a as string) < (b as string) ? -1 : 1)),
    events: run.events,
  }));
}
