/** The part of batch sessions in the OpenAPI document. */
import { z } from "zod";
import type { ErrorCode } from "../../errors.ts";
import { LAST_EVENT_ID } from "../../http/openapi/last-event-id.ts";
import type { Errors, ParameterDescription, Part, RouteDescription } from "../../http/openapi/part.ts";
import { queryOf } from "../../http/openapi/part.ts";
import { idempotencyKey } from "../contract.ts";
import {
  batchSession,
  batchStatus,
  cancelReply,
  cancelRequest,
  claimRequest,
  completeRequest,
  createRequest,
  holder,
  listQuery,
  nodeId,
  nodeItem,
  nodesQuery,
  nodesReply,
  progressReply,
  progressRequest,
  RESULT_BYTES_MAX,
  RUN_BYTES_MAX,
  resultReply,
  resultRequest,
  sessionQuery,
  sessionsReply,
  statsReply,
  transitionRequest,
} from "./contract.ts";
import * as example from "./description-examples.ts";
import { batchEvents } from "./event-contract.ts";
import { parallelPart } from "./parallel/description.ts";
import { BATCH_STATUSES, ENDED_REASONS } from "./states.ts";

const ending = z.object({
  status: batchStatus,
  ended_reason: z.enum(ENDED_REASONS).nullable(),
  error_message: z.string().nullable(),
  attempt: z.int(),
});
const count = z.int().min(0);

export const batchErrors = {
  idempotency_conflict: {
    when: "another request came with this `Idempotency-Key` in the last 24 hours.",
    message: "This Idempotency-Key belongs to another request",
  },
  claimed: {
    when: 'the worker that has the session was heard of in the last 60 seconds, and `on_conflict` was not `"replace"`.',
    message: "Another worker has the session",
    data: { schema: z.object({ holder }), example: { holder: example.holder } },
  },
  attempt_replaced: {
    when: "another worker has claimed the session since. Stop working on it.",
    message: "Another worker has claimed the session since",
    data: { schema: z.object({ holder }), example: { holder: example.holder } },
  },
  invalid_transition: {
    when: "no session goes from the one state to the other; an ending is final.",
    message: "A session that is cancelled does not become completed",
    data: {
      schema: z.object({ from: batchStatus, to: batchStatus, ...ending.shape }),
      example: { from: "cancelled", to: "completed", ...example.ending },
    },
  },
  results_disagree: {
    when: "a session with failed nodes is not `completed`.",
    message: "The session has failed nodes, so it is not completed",
    data: {
      schema: z.object({ completed_nodes: count, failed_nodes: count, skipped_nodes: count, node_count: count }),
      example: { completed_nodes: 39, failed_nodes: 1, skipped_nodes: 0, node_count: 40 },
    },
  },
  session_over: {
    when: "the session has ended, whoever ended it. Stop working on it.",
    message: "The session is over: cancelled",
    data: { schema: ending, example: example.ending },
  },
  too_many_nodes: {
    when: "as many nodes as the session has have been reported already, and this is another one.",
    message: "The session has 40 nodes, and all of them have a result",
    data: { schema: z.object({ node_count: count }), example: { node_count: 40 } },
  },
  unknown_node: {
    when: "the nodes of this session were named when it was made, and this is none of them.",
    message: "The session has no such node",
  },
  run_full: {
    when: "the results of the session have 1 GiB already.",
    message: "The session holds as many results as it may, 1 GiB",
  },
  not_resumable: {
    when: "the session is not over, or completed.",
    message: "Only a session that ended without completing can be resumed",
    data: { schema: z.object({ status: batchStatus }), example: { status: "running" } },
  },
} satisfies Errors;

const SESSION: ParameterDescription = {
  name: "session_id",
  in: "path",
  description: "The session's id. Whoever knows it may read and follow the session.",
  schema: z.uuid(),
  example: example.pending.session_id,
};
const NODE: ParameterDescription = {
  name: "node_id",
  in: "path",
  description: "The node, 1 to 500 characters, percent-encoded (`/` is `%2F`); `.` and `..` are none.",
  schema: nodeId,
  example: "page-17",
};
export const IDEMPOTENCY_KEY: ParameterDescription = {
  name: "Idempotency-Key",
  in: "header",
  description:
    "A name for this request. Within 24 hours the same request gets the same answer, and makes nothing more.",
  schema: idempotencyKey,
};
/** Where a token is asked for. */
const TOKEN: ErrorCode[] = ["unauthorized"];
const OF_SESSION: ErrorCode[] = ["session_not_found"];
const OF_WORKER: ErrorCode[] = [...TOKEN, ...OF_SESSION, "attempt_replaced"];

const ofSession = (
  method: RouteDescription["method"],
  path: string,
  route: Omit<RouteDescription, "method" | "path" | "access">,
  access = "worker",
): RouteDescription => ({
  method,
  path: `/api/v1/batch/sessions/{session_id}${path}`,
  access,
  ...route,
  parameters: [SESSION, ...(route.parameters ?? [])],
});

const answer = (status: number, description: string, schema: z.ZodType, examples: Record<string, unknown>) => [
  { status, description, content: [{ schema, examples }] },
];
const body = (
  schema: z.ZodType,
  examples: Record<string, unknown>,
  more: { required?: boolean; bytesMax?: number } = {},
) => ({
  ...more,
  content: [{ schema, examples }],
});
const OPTIONAL = { required: false };
const withoutResults = answer(200, "The session, without results.", batchSession, {
  running: example.runningWithoutResults,
});

export const batchPart: Part = {
  tag: {
    name: "Batch sessions",
    description:
      "A long run over many nodes: a worker reports each node's result, any number of people follow, and whoever is told of its end knows how it ended. Nothing is in a worker's memory alone. With `BATCH_AUTH=token` whatever changes or lists sessions wants the token.",
  },
  access: {
    worker: {
      optional: true,
      schemes: {
        batchToken: { type: "http", scheme: "bearer", description: "With `BATCH_AUTH=token` only: `BATCH_TOKEN`." },
      },
    },
  },
  schemas: {
    BatchSession: batchSession,
    BatchSessions: sessionsReply,
    BatchNode: nodeItem,
    BatchNodes: nodesReply,
    BatchCreateRequest: createRequest,
    BatchClaimRequest: claimRequest,
    BatchTransitionRequest: transitionRequest,
    BatchCompleteRequest: completeRequest,
    BatchProgressRequest: progressRequest,
    BatchProgress: progressReply,
    BatchResultRequest: resultRequest,
    BatchResult: resultReply,
    BatchCancelRequest: cancelRequest,
    BatchCancelReply: cancelReply,
    BatchStats: statsReply,
    BatchHolder: holder,
    ...parallelPart.schemas,
  },
  routes: [
    {
      method: "post",
      path: "/api/v1/batch/sessions",
      operationId: "createBatchSession",
      access: "worker",
      summary: "Make a session",
      description:
        "It is pending until a worker claims it, and cancelled if nobody reports for `BATCH_SILENCE_SECONDS`.",
      parameters: [IDEMPOTENCY_KEY],
      body: body(
        createRequest,
        {
          small: { canvas_path: "courses/algebra.canvas", node_count: 40 },
          limited: {
            canvas_path: "courses/algebra.canvas",
            node_count: 40,
            timeout_seconds: 3600,
            metadata: { course: 7 },
          },
        },
        { bytesMax: RUN_BYTES_MAX },
      ),
      answers: answer(201, "The session.", batchSession, { pending: example.pending }),
      errors: [...TOKEN, "idempotency_conflict"],
    },
    {
      method: "get",
      path: "/api/v1/batch/sessions",
      operationId: "listBatchSessions",
      access: "worker",
      summary: "The sessions, newest first, without results",
      parameters: queryOf(listQuery, {
        status: { description: "Only those." },
        limit: { description: "How many at most.", schema: z.int().min(1).max(100).default(20) },
        cursor: { description: "`next_cursor` of the page before." },
      }),
      answers: answer(200, "A page of sessions.", sessionsReply, {
        page: { sessions: [example.runningWithoutResults], next_cursor: null },
      }),
      errors: TOKEN,
    },
    {
      method: "get",
      path: "/api/v1/batch/stats",
      operationId: "readBatchStats",
      access: "worker",
      summary: "How many sessions there are",
      answers: answer(200, "The counts.", statsReply, {
        stats: {
          active_sessions: 3,
          total_sessions: 5,
          by_status: Object.fromEntries(BATCH_STATUSES.map((status) => [status, status === "running" ? 3 : 0])),
        },
      }),
      errors: TOKEN,
    },
    ofSession(
      "get",
      "",
      {
        operationId: "readBatchSession",
        summary: "A session with its results",
        description:
          "Beyond 1,000 results or 4 MiB it comes without them (`node_results_truncated`): read them node by node.",
        parameters: queryOf(sessionQuery, { results: { description: "`false`: without results." } }),
        answers: answer(200, "The session.", batchSession, { running: example.running, pending: example.pending }),
        errors: OF_SESSION,
      },
      "anybody",
    ),
    ofSession(
      "get",
      "/nodes",
      {
        operationId: "listBatchNodes",
        summary: "The nodes of a session by their id",
        parameters: queryOf(nodesQuery, {
          status: { description: "Only those; `pending`: named, and still to do." },
          limit: { description: "How many at most.", schema: z.int().min(1).max(100).default(20) },
          cursor: { description: "`next_cursor` of the page before." },
        }),
        answers: answer(200, "A page of nodes.", nodesReply, { page: { nodes: [example.node], next_cursor: null } }),
        errors: OF_SESSION,
      },
      "anybody",
    ),
    ofSession(
      "get",
      "/events",
      {
        operationId: "followBatchSession",
        summary: "Follow a session, live",
        description:
          "Server-sent events with ids, each once and in order; `progress` alone has none, comes at most four times a second, and is never repeated. The stream ends after `complete`.",
        parameters: [LAST_EVENT_ID],
        answers: [
          {
            status: 200,
            description: "The stream.",
            content: [
              {
                type: "text/event-stream",
                schema: z.string(),
                examples: {
                  one: `id: 2\nevent: attempt\ndata: {"type":"attempt","task_id":"${example.pending.session_id}","timestamp":"2026-03-02T09:00:30.000Z","data":{"attempt":1,"worker":"worker-a"}}\n\n`,
                },
              },
            ],
            events: batchEvents,
            headers: ["Cache-Control"],
          },
          { status: 204, description: "The reader has everything, the end included.", headers: ["Cache-Control"] },
        ],
        errors: OF_SESSION,
      },
      "anybody",
    ),
    ofSession("post", "/claim", {
      operationId: "claimBatchSession",
      summary: "Take a session, as its worker",
      description:
        "Gives a new `attempt`: a call with an older one is refused from now on. A worker that never claims, and sends no `attempt`, is not fenced.",
      body: body(
        claimRequest,
        { named: { worker: "worker-a" }, over: { worker: "worker-b", on_conflict: "replace" } },
        OPTIONAL,
      ),
      answers: withoutResults,
      errors: [...TOKEN, ...OF_SESSION, "session_over", "claimed"],
    }),
    ofSession("post", "/transition", {
      operationId: "transitionBatchSession",
      summary: "Start or end a session as its worker says",
      body: body(transitionRequest, {
        start: { status: "running" },
        end: { status: "failed", error_message: "no space left" },
      }),
      answers: withoutResults,
      errors: [...OF_WORKER, "invalid_transition", "results_disagree"],
    }),
    ofSession("post", "/complete", {
      operationId: "completeBatchSession",
      summary: "End a session as its results say",
      description:
        "All in and no failure, or none reported at all: `completed`. No success: `failed`. Else `partial_failure`.",
      body: body(completeRequest, { fenced: { attempt: 1 } }, OPTIONAL),
      answers: withoutResults,
      errors: [...OF_WORKER, "session_over", "invalid_transition"],
    }),
    ofSession("post", "/progress", {
      operationId: "reportBatchProgress",
      summary: "Say that the worker lives, and how far it is",
      description: "The heartbeat of a session: report again within `report_in` seconds.",
      body: body(
        progressRequest,
        { beat: { attempt: 1 }, words: { progress_percent: 42, message: "translating", attempt: 1 } },
        OPTIONAL,
      ),
      answers: answer(200, "It is heard.", progressReply, { progress: example.progress }),
      errors: [...OF_WORKER, "session_over"],
    }),
    ofSession("put", "/nodes/{node_id}", {
      operationId: "putBatchResult",
      summary: "Report a node's result",
      description: "The same again changes nothing, another one takes its place. It is a sign of life too.",
      parameters: [NODE],
      body: body(
        resultRequest,
        {
          success: { status: "success", result: example.node.result, attempt: 1 },
          failed: { status: "failed", error: "no such page", attempt: 1 },
        },
        { bytesMax: RESULT_BYTES_MAX },
      ),
      answers: answer(200, "It is kept.", resultReply, { stored: { ...example.node, duplicate: false } }),
      errors: [...OF_WORKER, "session_over", "too_many_nodes", "unknown_node", "run_full"],
    }),
    ofSession("post", "/cancel", {
      operationId: "cancelBatchSession",
      summary: "End a session early",
      description: "Its worker learns it with its next call, and at once by the events.",
      body: body(cancelRequest, { why: { reason: "wrong course" } }, OPTIONAL),
      answers: answer(200, "It is cancelled.", cancelReply, {
        cancelled: { success: true, message: "The session is cancelled", completed_count: 17 },
      }),
      errors: [...TOKEN, ...OF_SESSION, "session_over"],
    }),
    ofSession("post", "/resume", {
      operationId: "resumeBatchSession",
      summary: "Go on where a session ended without completing",
      description:
        "Makes a new session that carries every success over and has the rest still to do. Takes no body. Asked again, it is the same session.",
      answers: [
        ...answer(201, "The new session, without results.", batchSession, { resumed: example.resumed }),
        ...answer(200, "It has been made before.", batchSession, { again: example.resumed }),
      ],
      errors: [...TOKEN, ...OF_SESSION, "not_resumable"],
    }),
    ...parallelPart.routes,
  ],
};
