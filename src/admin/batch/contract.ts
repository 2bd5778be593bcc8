/** The wire contract of the operator's side of batch sessions. */
import { z } from "zod";
import { batchSession, batchStatus } from "../../sessions/batch/contract.ts";
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

export type ListBatches = z.infer<typeof listBatchesQuery>;
export type BatchReply = z.infer<typeof batchReply>;
