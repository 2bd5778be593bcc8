/** The operator's part of the OpenAPI document: each folder describes its own, and each kind of session. */
import type { AdminPart, Errors, Part } from "../http/openapi/part.ts";
import { auditPart } from "./audit/description.ts";
import { cleanupReply, done } from "./contract.ts";
import { answerOk } from "./description-shared.ts";
import { keyErrors, keyPart } from "./keys/description.ts";
import { pageRoutes } from "./page/description.ts";
import { signInErrors, signInPart } from "./sign-in/description.ts";

export const adminErrors = { ...signInErrors, ...keyErrors } satisfies Errors;

/** With what the kinds of session add to it. */
export const describeAdmin = (ofKinds: AdminPart[]): Part => ({
  tag: {
    name: "Admin",
    description: "For the operator, with the admin token. Where none is configured, none of it is there.",
  },
  access: {
    operator: {
      schemes: {
        adminToken: { type: "http", scheme: "bearer", description: "The operator's token (`ADMIN_TOKEN`)." },
        adminPassword: {
          type: "apiKey",
          in: "header",
          name: "X-Admin-Password",
          description: "The same token, as older scripts send it.",
        },
        adminPage: {
          type: "apiKey",
          in: "cookie",
          name: "keybeat_admin",
          description: "The page's sign-in (see signIn). What changes something wants `X-CSRF-Token` beside it.",
        },
      },
    },
  },
  schemas: {
    Done: done,
    CleanupReply: cleanupReply,
    ...signInPart.schemas,
    ...auditPart.schemas,
    ...keyPart.schemas,
    ...Object.assign({}, ...ofKinds.map(({ schemas }) => schemas)),
  },
  routes: [
    ...signInPart.routes,
    ...keyPart.routes,
    ...ofKinds.flatMap(({ routes }) => routes),
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
});
