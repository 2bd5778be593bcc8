/** Signing in and out in the OpenAPI document. */
import type { Errors, Part } from "../../http/openapi/part.ts";
import { done } from "../contract.ts";
import { answerOk } from "../description-shared.ts";
import { meReply, signInReply, signInRequest, signOutRequest } from "./contract.ts";

export const signInErrors = {
  csrf_failed: {
    when: "a browser asks with the page's cookie, but without its `X-CSRF-Token`; or a web page of another site asks, whose origin is not in `CORS_ORIGINS`. Nothing has happened.",
    message: "The X-CSRF-Token header is missing or wrong: please load the page again",
  },
} satisfies Errors;

const CSRF_TOKEN = "q7Xn0bGd2nqk3tVwQ9m5rJpKc8aYz1eUo4hLs6iFxDE";

export const signInPart: Pick<Part, "schemas" | "routes"> = {
  schemas: {
    SignInRequest: signInRequest,
    SignOutRequest: signOutRequest,
    SignInReply: signInReply,
    MeReply: meReply,
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
      answers: answerOk(
        "The sign-in is over, in every process, and what it looks on at ends. A browser's own cookie is taken back.",
        done,
        { done: { success: true } },
      ),
    },
    {
      method: "get",
      path: "/api/admin/me",
      operationId: "readMe",
      access: "operator",
      summary: "Who am I?",
      answers: answerOk("Signed in, by the token or as the page.", meReply, {
        script: { signed_in: true, by: "token", version: "0.1.0" },
        page: { signed_in: true, by: "page", csrf_token: CSRF_TOKEN, version: "0.1.0" },
      }),
    },
  ],
};
