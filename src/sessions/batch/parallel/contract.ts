/** The wire contract of /api/v1/parallel, the API that clients of batch runs knew first. */
import { z } from "zod";
import { filled, moment } from "../../contract.ts";
import { batchStatus, NODES_MAX, nodeId } from "../contract.ts";

const groupId = z.union([filled(200), z.int()]);

export const executeRequest = z
  .object({
    canvas_path: filled(500)
      .refine((path) => path.endsWith(".canvas"), "must end in .canvas")
      .refine((path) => !path.includes(".."), "must not contain .."),
    groups: z
      .array(
        z.object({
          group_id: groupId,
          agent_type: filled(100),
          node_ids: z.array(nodeId).min(1),
        }),
      )
      .min(1)
      .max(50),
    max_concurrent: z.int().min(1).max(50).default(12),
    timeout: z.int().min(60).max(3600).default(600),
  })
  .superRefine(({ groups }, context) => {
    const refuse = (message: string) => context.addIssue({ code: "custom", path: ["groups"], message });
    const groupIds = groups.map(({ group_id }) => group_id);
    if (new Set(groupIds).size < groupIds.length) refuse("must not have a group_id twice");
    const nodes = groups.flatMap(({ node_ids }) => node_ids);
    if (nodes.length > NODES_MAX) refuse(`must have at most ${NODES_MAX} nodes`);
    const seen = new Set<string>();
    const twice = nodes.find((node) => seen.size === seen.add(node).size);
    if (twice !== undefined) refuse(`must not have a node twice: ${twice.slice(0, 100)}`);
  });

export const executeReply = z.object({
  task_id: z.uuid(),
  session_id: z.uuid(),
  status: z.literal("pending"),
  total_groups: z.int(),
  total_nodes: z.int(),
  created_at: moment,
  /** Nobody knows before a node is done. */
  estimated_completion: moment.nullable(),
  /** There is none: see the events. */
  websocket_url: z.string().nullable(),
});

export const groupStatus = z.enum(["pending", "running", "completed", "failed"]);

const groupItem = z.object({
  group_id: groupId,
  status: groupStatus,
  agent_type: z.string(),
  completed_nodes: z.int(),
  total_nodes: z.int(),
  results: z.array(
    z.object({ node_id: z.string(), file_path: z.string().optional(), file_size: z.string().optional() }),
  ),
  errors: z.array(z.object({ node_id: z.string(), error_message: z.string() })),
});

export const statusReply = z.object({
  task_id: z.uuid(),
  session_id: z.uuid(),
  status: batchStatus,
  total_groups: z.int(),
  total_nodes: z.int(),
  /** Those that are over, failed ones too. */
  completed_groups: z.int(),
  completed_nodes: z.int(),
  failed_nodes: z.int(),
  progress_percent: z.int().min(0).max(100),
  created_at: moment,
  started_at: moment.nullable(),
  completed_at: moment.nullable(),
  error_message: z.string().nullable(),
  groups: z.array(groupItem),
  /** Null until it has ended. */
  performance_metrics: z
    .object({
      /** From its start (else its creation) to its end. */
      total_duration_seconds: z.number(),
      /** Of the nodes whose times are known; null: of none. */
      average_duration_per_node: z.number().nullable(),
      /** The share of `max_concurrent` that was made use of, 0 to 1. */
      parallel_efficiency: z.number().nullable(),
      peak_concurrent: z.int().nullable(),
    })
    .nullable(),
});

export type ExecuteRequest = z.infer<typeof executeRequest>;
export type ExecuteReply = z.infer<typeof executeReply>;
export type StatusReply = z.infer<typeof statusReply>;
export type GroupItem = z.infer<typeof groupItem>;
