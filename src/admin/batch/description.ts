/** /api/admin/batch in the OpenAPI document. */
import { z } from "zod";
import { type ParameterDescription, type Part, queryOf } from "../../http/openapi/part.ts";
import { batchSession, cancelReply } from "../../sessions/batch/contract.ts";
import * as example from "../../sessions/batch/description-examples.ts";
import { done } from "../contract.ts";
import { aboutPage, answerOk } from "../description-shared.ts";
import {
  batchesPage,
  batchNodeItem,
  batchNodesPage,
  batchReply,
  endBatchRequest,
  groupItem,
  listBatchesQuery,
  listNodesQuery,
} from "./contract.ts";

const SESSION: ParameterDescription = {
  name: "session_id",
  in: "path",
  description: "The session's id.",
  schema: z.uuid(),
  example: example.pending.session_id,
};
const group = {
  group_id: "figures",
  agent_type: "painter",
  status: "failed",
  total_nodes: 1,
  completed_nodes: 0,
  failed_nodes: 1,
  skipped_nodes: 0,
};
const body = {
  required: false,
  content: [{ schema: endBatchRequest, examples: { why: { reason: "asked for it by phone" } } }],
};

export const batchAdminPart: Pick<Part, "schemas" | "routes"> = {
  schemas: {
    BatchesPage: batchesPage,
    BatchGroup: groupItem,
    BatchReply: batchReply,
    BatchNodeOfGroup: batchNodeItem,
    BatchNodesPage: batchNodesPage,
    EndBatchRequest: endBatchRequest,
  },
  routes: [
    {
      method: "get",
      path: "/api/admin/batch",
      operationId: "listBatches",
      access: "operator",
      summary: "The batch sessions, newest first",
      parameters: queryOf(listBatchesQuery, {
        ...aboutPage,
        status: { description: "Only those." },
        search: { description: "A session's id, or the beginning of its `canvas_path`." },
      }),
      answers: answerOk("A page of sessions, without results.", batchesPage, {
        page: { items: [example.runningWithoutResults], next_cursor: null },
      }),
    },
    {
      method: "get",
      path: "/api/admin/batch/{session_id}",
      operationId: "readBatch",
      access: "operator",
      summary: "One batch session and its groups",
      parameters: [SESSION],
      answers: answerOk("The session, without results.", batchReply, {
        ended: { session: example.failed, groups: [group] },
      }),
      errors: ["session_not_found"],
    },
    {
      method: "get",
      path: "/api/admin/batch/{session_id}/nodes",
      operationId: "listNodesOfBatch",
      access: "operator",
      summary: "The nodes of a batch session by their id",
      parameters: [
        SESSION,
        ...queryOf(listNodesQuery, {
          status: { description: "Only those; `pending`: named, and still to do." },
          limit: { description: "How many at most.", schema: z.int().min(1).max(100).default(20) },
          cursor: aboutPage.cursor,
          results: { description: "`false`: without results, and of an error the first 1,000 characters." },
        }),
      ],
      answers: answerOk("A page of nodes.", batchNodesPage, {
        page: { nodes: [{ ...example.node, group_id: "figures" }], next_cursor: null },
      }),
      errors: ["session_not_found"],
    },
    {
      method: "post",
      path: "/api/admin/batch/{session_id}/cancel",
      operationId: "cancelBatch",
      access: "operator",
      summary: "Cancel a batch session",
      description: "As a client's cancel; the audit log says who.",
      parameters: [SESSION],
      body,
      answers: answerOk("It is cancelled.", cancelReply, {
        cancelled: { success: true, message: "The session is cancelled", completed_count: 17 },
      }),
      errors: ["session_not_found", "session_over"],
    },
    {
      method: "post",
      path: "/api/admin/batch/{session_id}/end",
      operationId: "endBatch",
      access: "operator",
      summary: "End a batch session by force",
      description: "What runs has failed, what never began is cancelled; `ended_reason` is `operator`.",
      parameters: [SESSION],
      body,
      answers: answerOk("It has ended.", batchSession, {
        ended: { ...example.failed, status: "failed", ended_reason: "operator" },
      }),
      errors: ["session_not_found", "session_over"],
    },
    {
      method: "post",
      path: "/api/admin/batch/{session_id}/resume",
      operationId: "resumeBatch",
      access: "operator",
      summary: "Resume a batch session that ended without completing",
      description: "Takes no body.",
      parameters: [SESSION],
      answers: [
        ...answerOk("It has been made before.", batchSession, { again: example.resumed }),
        {
          status: 201,
          description: "The new session, for a worker to claim.",
          content: [{ schema: batchSession, examples: { resumed: example.resumed } }],
          headers: ["Cache-Control"],
        },
      ],
      errors: ["session_not_found", "not_resumable"],
    },
    {
      method: "delete",
      path: "/api/admin/batch/{session_id}",
      operationId: "eraseBatch",
      access: "operator",
      summary: "Erase all that is known of a batch session",
      description: "Its results, its events, and what the audit log says of it; the log keeps that it happened.",
      parameters: [SESSION],
      answers: answerOk("It is erased.", done, { erased: { success: true } }),
      errors: ["session_not_found"],
    },
  ],
};
