/** The published view in the OpenAPI document. */
import { z } from "zod";
import type { ParameterDescription, Part, RouteDescription } from "../../../http/openapi/part.ts";
import { idempotencyKey } from "../../contract.ts";
import { cancelReply, cancelRequest, RUN_BYTES_MAX } from "../contract.ts";
import * as example from "../description-examples.ts";
import { executeReply, executeRequest, statusReply } from "./contract.ts";
import { parallelErrors } from "./errors.ts";

const TASK: ParameterDescription = {
  name: "task_id",
  in: "path",
  description: "The session's id.",
  schema: z.uuid(),
  example: example.executed.task_id,
};

const cancel = (method: "post" | "delete", operationId: string): RouteDescription => ({
  method,
  path: "/api/v1/parallel/cancel/{task_id}",
  operationId,
  access: "worker",
  summary: "End a session early",
  parameters: [TASK],
  body: { required: false, content: [{ schema: cancelRequest, examples: { why: { reason: "wrong course" } } }] },
  answers: [
    {
      status: 200,
      description: "It is cancelled.",
      content: [
        {
          schema: cancelReply,
          examples: { cancelled: { success: true, message: "The session is cancelled", completed_count: 17 } },
        },
      ],
    },
  ],
  errors: ["unauthorized", "session_not_found", "session_over"],
  errorShape: parallelErrors,
});

export const parallelPart: Pick<Part, "schemas" | "routes"> = {
  schemas: { ExecuteRequest: executeRequest, ExecuteReply: executeReply, TaskStatus: statusReply },
  routes: [
    {
      method: "post",
      path: "/api/v1/parallel/execute",
      operationId: "executeGroups",
      access: "worker",
      summary: "Make a session whose nodes are named, in groups",
      description: "The first API of batch runs: the same sessions, in its words. Errors have its shape.",
      parameters: [
        {
          name: "Idempotency-Key",
          in: "header",
          description: "As where a session is made.",
          schema: idempotencyKey,
        },
      ],
      body: { bytesMax: RUN_BYTES_MAX, content: [{ schema: executeRequest, examples: { groups: example.execute } }] },
      answers: [
        {
          status: 202,
          description: "It is pending, for whoever claims it.",
          content: [{ schema: executeReply, examples: { executed: example.executed } }],
        },
      ],
      errors: ["unauthorized", "idempotency_conflict"],
      errorShape: parallelErrors,
    },
    {
      method: "get",
      path: "/api/v1/parallel/status/{task_id}",
      operationId: "readTaskStatus",
      access: "anybody",
      summary: "How far the groups are",
      parameters: [TASK],
      answers: [
        {
          status: 200,
          description: "The session.",
          content: [{ schema: statusReply, examples: { ended: example.taskStatus } }],
        },
      ],
      errors: ["session_not_found"],
      errorShape: parallelErrors,
    },
    cancel("delete", "cancelTask"),
    cancel("post", "cancelTaskByPost"),
  ],
};
