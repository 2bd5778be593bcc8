/** The operator's part of the OpenAPI document: each folder describes its own. */
import type { Errors, Part } from "../http/openapi/part.ts";
import { auditPart } from "./audit/description.ts";
import { cleanupReply, done } from "./contract.ts";
import { answerOk } from "./description-shared.ts";
import { deviceAdminPart } from "./device/description.ts";
import { keyErrors, keyPart } from "./keys/description.ts";
import { pageRoutes } from "./page/description.ts";
import { signInErrors, signInPart } from "./sign-ins/description.ts";
import { roomAdminPart, roomErrors } from "./waiting-room/description.ts";

export const adminErrors = { ...signInErrors, ...keyErrors, ...roomErrors } satisfies Errors;

export const adminPart: Part = {
  tag: {
    name: "Admin",
    description: "For the operator, with the admin token. Where none is configured, none of it is there.",
  },
  schemas: {
    Done: done,
    CleanupReply: cleanupReply,
    ...signInPart.schemas,
    ...auditPart.schemas,
    ...keyPart.schemas,
    ...deviceAdminPart.schemas,
    ...roomAdminPart.schemas,
  },
  routes: [
    ...signInPart.routes,
    ...keyPart.routes,
    ...deviceAdminPart.routes,
    ...roomAdminPart.routes,
    ...pageRoutes,
    ...auditPart.routes,
    {
      method: "post",
      path: "/api/admin/cleanup-sessions",
      operationId: "cleanUpSessions",
      access: "operator",
      summary: "End the sessions that fell silent, now",
      description: "Takes no body. It only does early what the cleanup does anyway; no answer depends on it.",
      answers: answerOk("How many sessions it ended.", cleanupReply, { two: { success: true, deleted: 2 } }),
    },
  ],
};
