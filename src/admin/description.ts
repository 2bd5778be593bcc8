/** The operator's part of the OpenAPI document: signing in, who am I, the audit log, the cleanup; the rest is described where it is. */
import type { AdminPart, AnswerDescription, Errors, Part } from "../http/openapi/part.ts";
import { queryOf } from "../http/openapi/part.ts";
import {
  auditItem,
  auditPage,
  cleanupReply,
  done,
  meReply,
  pageQuery,
  signInReply,
  signInRequest,
  signOutRequest,
} from "./contract.ts";
import { aboutPage } from "./description-shared.ts";
import { keyDescription } from "./keys/description.ts";
import { pageRoutes } from "./page/description.ts";

export const adminErrors = {
  csrf_failed: {
    when: "a browser asks with the page's cookie, but without its `X-CSRF-Token`; or a web page of another site asks, whose origin is not in `CORS_ORIGINS`. Nothing has happened.",
    message: "The X-CSRF-Token header is missing or wrong: please load the page again",
  },
  key_not_found: { when: "no key has this id.", message: "There is no such key" },
  key_exists: { when: "that access key exists already.", message: "That key exists already" },
  not_waiting: { when: "the user has a seat already.", message: "This user has a seat already" },
  room_full: {
    when: "every seat is taken; somebody may be removed, or a seat added.",
    message: "Every seat is taken: remove somebody, or add a seat",
  },
} satisfies Errors;

const CSRF_TOKEN = "q7Xn0bGd2nqk3tVwQ9m5rJpKc8aYz1eUo4hLs6iFxDE";

const SIGNED_OUT: AnswerDescription = {
  status: 200,
  description:
    "The sign-in is over, in every process, and what it looks on at ends. A browser's own cookie is taken back.",
  content: [{ schema: done, examples: { done: { success: true } } }],
  headers: ["Cache-Control"],
};

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
    SignInRequest: signInRequest,
    SignOutRequest: signOutRequest,
    SignInReply: signInReply,
    Done: done,
    MeReply: meReply,
    AuditItem: auditItem,
    AuditPage: auditPage,
    CleanupReply: cleanupReply,
    ...keyDescription.schemas,
    ...Object.assign({}, ...ofKinds.map(({ schemas }) => schemas)),
  },
  routes: [
    {
      method: "post",
      path: "/api/admin/sign-in",
      operationId: "signIn",
      access: "anybody",
      summary: "Sign a browser in",
      description:
        "For the page: the cookie holds 12 hours, in any process, unless it is signed out before, and dies with a changed token.",
      body: { content: [{ schema: signInRequest, examples: { sign_in: { token: "the-admin-token" } } }] },
      answers: [
        {
          status: 200,
          description: "Signed in. What changes something wants `csrf_token` in `X-CSRF-Token` beside the cookie.",
          content: [{ schema: signInReply, examples: { signed_in: { success: true, csrf_token: CSRF_TOKEN } } }],
          headers: ["Cache-Control", "Set-Cookie"],
        },
      ],
      errors: ["unauthorized", "csrf_failed", "not_found", "rate_limited"],
    },
    {
      method: "post",
      path: "/api/admin/sign-out",
      operationId: "signOut",
      access: "operator",
      summary: "Sign a browser out",
      description:
        "This one; or with `everywhere` every one, or with `sign_in` the one that the audit log names so. By the admin token it is one of the latter two.",
      body: {
        required: false,
        content: [
          {
            schema: signOutRequest,
            examples: { this: {}, everywhere: { everywhere: true }, another: { sign_in: "3f2a91c0" } },
          },
        ],
      },
      answers: [SIGNED_OUT],
    },
    {
      method: "get",
      path: "/api/admin/me",
      operationId: "readMe",
      access: "operator",
      summary: "Who am I?",
      answers: [
        {
          status: 200,
          description: "Signed in, by the token or as the page.",
          content: [
            {
              schema: meReply,
              examples: {
                script: { signed_in: true, by: "token", version: "0.1.0" },
                page: { signed_in: true, by: "page", csrf_token: CSRF_TOKEN, version: "0.1.0" },
              },
            },
          ],
          headers: ["Cache-Control"],
        },
      ],
    },
    ...keyDescription.routes,
    ...ofKinds.flatMap(({ routes }) => routes),
    ...pageRoutes,
    {
      method: "get",
      path: "/api/admin/audit",
      operationId: "listAudit",
      access: "operator",
      summary: "What operators changed, who and from where, newest first",
      parameters: queryOf(pageQuery, aboutPage),
      answers: [
        {
          status: 200,
          description: "A page of the log.",
          content: [
            {
              schema: auditPage,
              examples: {
                page: {
                  items: [
                    {
                      id: 12,
                      at: "2026-03-02T10:02:11.480Z",
                      who: "token",
                      from: "203.0.113.7",
                      action: "key_revoked",
                      key_id: 41,
                      details: { reason: "shared" },
                    },
                  ],
                  next_cursor: null,
                },
              },
            },
          ],
          headers: ["Cache-Control"],
        },
      ],
    },
    {
      method: "post",
      path: "/api/admin/cleanup-sessions",
      operationId: "cleanUpSessions",
      access: "operator",
      summary: "End the sessions that fell silent, now",
      description: "Takes no body. It only does early what the cleanup does anyway; no answer depends on it.",
      answers: [
        {
          status: 200,
          description: "How many sessions it ended.",
          content: [{ schema: cleanupReply, examples: { two: { success: true, deleted: 2 } } }],
          headers: ["Cache-Control"],
        },
      ],
    },
  ],
});
