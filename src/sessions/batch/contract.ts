/** The wire contract of batch sessions: requests and responses as zod schemas. */
import { z } from "zod";
import {
  anyJson,
  described,
  filled,
  givenMoment,
  jsonObject,
  moment,
  numberCursor,
  pageLimit,
  pathName,
  text,
} from "../contract.ts";
import { BATCH_STATUSES, ENDED_REASONS, NODE_STATUSES } from "./states.ts";

export const NODES_MAX = 100_000;
export const METADATA_BYTES_MAX = 64 * 1024;
/** Of a request that makes a run; and of a node's result. */
export const RUN_BYTES_MAX = 1024 * 1024;
export const RESULT_BYTES_MAX = 256 * 1024;
/** Beyond these the results of a run are to be read node by node. */
export const SHOWN_RESULTS_MAX = 1_000;
export const SHOWN_BYTES_MAX = 4 * 1024 * 1024;

export const batchStatus = z.enum(BATCH_STATUSES);
export const nodeStatus = z.enum(NODE_STATUSES);

export const nodeId = pathName(500);
const attempt = z.int().min(0).max(2_147_483_647).optional();
const percent = z.number().transform((value) => Math.min(100, Math.max(0, value)));
const errorMessage = text(10_000).optional();

export const createRequest = z.object({
  canvas_path: filled(500),
  node_count: z.int().min(0).max(NODES_MAX),
  metadata: jsonObject(METADATA_BYTES_MAX).default({}),
  timeout_seconds: z.int().min(60).max(86_400).optional(),
});

export const claimRequest = z.object({
  worker: described(100).optional(),
  on_conflict: z.enum(["refuse", "replace"]).default("refuse"),
});

export const transitionRequest = z.object({ status: batchStatus, error_message: errorMessage, attempt });

export const completeRequest = z.object({
  error_message: errorMessage,
  progress_percent: percent.optional(),
  attempt,
});

export const progressRequest = z.object({
  progress_percent: percent.optional(),
  message: described(500).optional(),
  attempt,
});

export const resultRequest = z
  .object({
    status: nodeStatus,
    result: anyJson.optional(),
    error: text(RESULT_BYTES_MAX).optional(),
    started_at: givenMoment.optional(),
    completed_at: givenMoment.optional(),
    attempt,
  })
  .refine(({ started_at, completed_at }) => !started_at || !completed_at || started_at <= completed_at, {
    path: ["completed_at"],
    message: "must not be before started_at",
  });

export const cancelRequest = z.object({ reason: text(10_000).optional() });

const limit = pageLimit(20, 100);

export const listQuery = z.object({
  status: batchStatus.optional(),
  limit,
  cursor: numberCursor.optional(),
});

export const nodesQuery = z.object({
  status: z.enum([...NODE_STATUSES, "pending"]).optional(),
  limit,
  cursor: text(2_000).optional(),
});

export const sessionQuery = z.object({ results: z.enum(["true", "false"]).default("true") });

/** A node's result. */
export const nodeItem = z.object({
  node_id: z.string(),
  /** Null: still to do. */
  status: nodeStatus.nullable(),
  result: z.unknown(),
  error: z.string().nullable(),
  started_at: moment.nullable(),
  completed_at: moment.nullable(),
  /** Null unless both moments are known. */
  execution_time_ms: z.int().min(0).nullable(),
  /** Taken over from the run that this one resumes. */
  carried: z.boolean(),
});

export const resultReply = nodeItem.extend({
  status: nodeStatus,
  /** It was there already, and nothing has changed. */
  duplicate: z.boolean(),
});

export const batchSession = z.object({
  session_id: z.uuid(),
  canvas_path: z.string(),
  node_count: z.int().min(0),
  status: batchStatus,
  created_at: moment,
  updated_at: moment,
  started_at: moment.nullable(),
  completed_at: moment.nullable(),
  progress_percent: z.number().min(0).max(100),
  /** Successes. */
  completed_nodes: z.int().min(0),
  failed_nodes: z.int().min(0),
  skipped_nodes: z.int().min(0),
  /** By node id. */
  node_results: z.record(z.string(), nodeItem),
  node_results_truncated: z.boolean(),
  error_message: z.string().nullable(),
  metadata: z.record(z.string(), z.unknown()),
  attempt: z.int().min(0),
  worker: z.string().nullable(),
  message: z.string().nullable(),
  ended_reason: z.enum(ENDED_REASONS).nullable(),
  /** Null once it is over. */
  silent_until: moment.nullable(),
  /** Null without a timeout, and before it has started. */
  deadline_at: moment.nullable(),
  resumed_from: z.uuid().nullable(),
  resumed_as: z.uuid().nullable(),
  estimated_completion: moment.nullable(),
});

export const sessionsReply = z.object({ sessions: z.array(batchSession), next_cursor: z.string().nullable() });
export const nodesReply = z.object({ nodes: z.array(nodeItem), next_cursor: z.string().nullable() });

export const progressReply = z.object({
  session_id: z.uuid(),
  status: batchStatus,
  progress_percent: z.number().min(0).max(100),
  message: z.string().nullable(),
  attempt: z.int().min(0),
  silent_until: moment,
  /** Seconds until the next report is wanted. */
  report_in: z.number().positive(),
});

export const cancelReply = z.object({
  success: z.literal(true),
  message: z.string(),
  completed_count: z.int().min(0),
});

export const statsReply = z.object({
  /** Pending and running ones. */
  active_sessions: z.int().min(0),
  total_sessions: z.int().min(0),
  by_status: z.object(Object.fromEntries(BATCH_STATUSES.map((status) => [status, z.int().min(0)]))),
});

/** Whoever has the run. */
export const holder = z.object({
  worker: z.string().nullable(),
  since: moment,
  last_seen: moment,
  attempt: z.int().min(1),
});

export type BatchStatus = z.infer<typeof batchStatus>;
export type NodeStatus = z.infer<typeof nodeStatus>;
export type CreateRequest = z.infer<typeof createRequest>;
export type ClaimRequest = z.infer<typeof claimRequest>;
export type TransitionRequest = z.infer<typeof transitionRequest>;
export type CompleteRequest = z.infer<typeof completeRequest>;
export type ProgressRequest = z.infer<typeof progressRequest>;
export type ResultRequest = z.infer<typeof resultRequest>;
export type ListQuery = z.infer<typeof listQuery>;
export type NodesQuery = z.infer<typeof nodesQuery>;
export type NodeItem = z.infer<typeof nodeItem>;
export type ResultReply = z.infer<typeof resultReply>;
export type BatchSession = z.infer<typeof batchSession>;
export type ProgressReply = z.infer<typeof progressReply>;
export type Holder = z.infer<typeof holder>;
