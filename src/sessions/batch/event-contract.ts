/** What is told of a run: the data of each event is `{type, task_id, timestamp, data}`. */
import { z } from "zod";
import { moment } from "../contract.ts";
import { batchSession, batchStatus, nodeStatus } from "./contract.ts";
import { ENDED_REASONS } from "./states.ts";

const count = z.int().min(0);
const groupId = z.union([z.string(), z.int()]);

const told = <Data extends z.ZodType>(type: string, data: Data) =>
  z.object({ type: z.literal(type), task_id: z.uuid(), timestamp: moment, data });

export const batchEvents = {
  /** The only one without an id. */
  progress: told(
    "progress",
    z.object({
      progress_percent: z.number(),
      message: z.string().nullable(),
      completed_nodes: count,
      failed_nodes: count,
      skipped_nodes: count,
      total_nodes: count,
    }),
  ),
  started: told("started", z.object({ status: z.literal("running"), attempt: count })),
  attempt: told("attempt", z.object({ attempt: count, worker: z.string().nullable() })),
  node_complete: told(
    "node_complete",
    z.object({
      node_id: z.string(),
      status: nodeStatus,
      group_id: groupId.optional(),
      /** At most its first 1,000 characters. */
      error: z.string().optional(),
      carried: z.literal(true).optional(),
      completed_nodes: count,
      failed_nodes: count,
      skipped_nodes: count,
      total_nodes: count,
      progress_percent: z.number(),
    }),
  ),
  group_complete: told(
    "group_complete",
    z.object({
      group_id: groupId,
      status: z.enum(["completed", "failed"]),
      completed_nodes: count,
      failed_nodes: count,
      skipped_nodes: count,
      total_nodes: count,
    }),
  ),
  complete: told(
    "complete",
    z.object({
      status: batchStatus,
      ended_reason: z.enum(ENDED_REASONS),
      error_message: z.string().nullable(),
      /** Seconds, from its start (else its creation) to its end. */
      total_duration: z.number().min(0),
      success_count: count,
      failure_count: count,
      skipped_count: count,
      resumed_as: z.uuid().optional(),
    }),
  ),
  /** Instead of what was missed, where that is not kept any more. */
  reset: told("reset", batchSession),
};

export type Told<Name extends keyof typeof batchEvents> = z.infer<(typeof batchEvents)[Name]>["data"];
