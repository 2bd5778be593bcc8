/** The wire contract of the operator's side of batch sessions. */
import { z } from "zod";
import {
  batchSession,
  batchStatus,
  type cancelReply,
  nodeItem,
  nodesQuery,
  sessionQuery,
} from "../../sessions/batch/contract.ts";
import { text } from "../../sessions/contract.ts";
import { inQuery, page, reason } from "../contract.ts";

export const listBatchesQuery = z.object({
  ...inQuery,
  status: batchStatus.optional(),
  search: text(500).optional(),
});

/** The audit log keeps the reason, and the run says it. */
export const endBatchRequest = z.object({ reason: reason.optional() });

export const batchesPage = page(batchSession);

export const groupItem = z.object({
  group_id: z.union([z.string(), z.int()]),
  agent_type: z.string(),
  status: z.enum(["pending", "running", "completed", "failed"]),
  total_nodes: z.int(),
  completed_nodes: z.int(),
  failed_nodes: z.int(),
  skipped_nodes: z.int(),
});

export const batchReply = z.object({ session: batchSession, groups: z.array(groupItem) });

export const listNodesQuery = nodesQuery.extend(sessionQuery.shape);

/** Without a group where the session has none. */
export const batchNodeItem = nodeItem.extend({ group_id: groupItem.shape.group_id.optional() });
export const batchNodesPage = z.object({ nodes: z.array(batchNodeItem), next_cursor: z.string().nullable() });

export type ListBatches = z.infer<typeof listBatchesQuery>;
export type ListNodes = z.infer<typeof listNodesQuery>;
export type BatchItem = z.infer<typeof batchSession>;
export type BatchStatus = BatchItem["status"];
export type GroupItem = z.infer<typeof groupItem>;
export type BatchReply = z.infer<typeof batchReply>;
export type BatchNodeItem = z.infer<typeof batchNodeItem>;
export type BatchNodesPage = z.infer<typeof batchNodesPage>;
export type CancelReply = z.infer<typeof cancelReply>;
