/** What the owner of a key can do with it, in the OpenAPI document. */
import type { RouteDescription } from "../../http/openapi/part.ts";
import { historyReply, historyRequest, signOutReply, signOutRequest } from "./contract.ts";
import * as example from "./description-examples.ts";
import { keyPageParts } from "./key-page/description.ts";

export const ownerSchemas = {
  SignOutRequest: signOutRequest,
  SignOutReply: signOutReply,
  HistoryRequest: historyRequest,
  HistoryReply: historyReply,
};

export const ownerDescriptions: RouteDescription[] = [
  {
    method: "post",
    path: "/api/session/sign-out",
    operationId: "signOutHolder",
    access: "anybody",
    summary: "Sign out the device that holds the key, for whoever has the key",
    description:
      "Ends the live session of that generation as `ended`, with a `reason`, and never one that started since. It waits where a start would (`LIMIT_STARTS`). Where `KEY_PAGE` is not `off`.",
    body: { content: [{ schema: signOutRequest, examples: { that_holder: example.signOut } }] },
    answers: [
      {
        status: 200,
        description: "Whether this call signed a device out: `false` if nobody is live.",
        content: [{ schema: signOutReply, examples: { signed_out: { success: true }, nobody: { success: false } } }],
        headers: ["Cache-Control"],
      },
    ],
    errors: ["invalid_key", "key_expired", "key_revoked", "holder_changed", "rate_limited", "not_found"],
  },
  {
    method: "post",
    path: "/api/session/history",
    operationId: "readKeyHistory",
    access: "anybody",
    summary: "How the last sessions of the key ended, for whoever has the key",
    description:
      "The last ten, by day (UTC) and reason: not which devices they were, and not when exactly. Where `KEY_PAGE` is not `off`.",
    body: { content: [{ schema: historyRequest, examples: { by_key: example.statusRequests.by_key } }] },
    answers: [
      {
        status: 200,
        description: "The newest first.",
        content: [{ schema: historyReply, examples: { two: example.history } }],
        headers: ["Cache-Control"],
      },
    ],
    errors: ["invalid_key", "rate_limited", "not_found"],
  },
  ...keyPageParts,
];
