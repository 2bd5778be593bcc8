/** The part of device sessions in the OpenAPI document. */
import { type ErrorDescription, type Errors, type Part, queryOf } from "../../http/openapi/part.ts";
import {
  challenged,
  device,
  endedBody,
  endReply,
  endRequest,
  heartbeatReply,
  heartbeatRequest,
  holder,
  keyInUse,
  leaseUnavailable,
  notedBody,
  previousSession,
  proof,
  refusedByHolder,
  replacedBody,
  startReply,
  startRequest,
  statusReply,
  statusRequest,
  watchQuery,
} from "./contract.ts";
import * as example from "./description-examples.ts";
import { ENDING_CODES, ENDING_REASONS, ENDINGS, type EndingReason } from "./endings.ts";
import { leaseDescriptions, leaseSchemas } from "./lease-description.ts";
import { ownerDescriptions, ownerSchemas } from "./owner-description.ts";

function endingErrors() {
  const bodies = {
    takeover: { schema: replacedBody, example: example.replaced },
    operator: { schema: notedBody, example: { ...example.ended, reason: "Please call us about your order" } },
    timeout: { schema: endedBody, example: example.ended },
    device: { schema: notedBody, example: { ...example.ended, reason: "Signed out by the owner of the key" } },
    copy: { schema: endedBody, example: example.ended },
  };
  return Object.fromEntries(
    ENDING_REASONS.map((reason) => {
      const { by, when, message } = ENDINGS[reason];
      return [`session_${reason}`, { when, message, data: bodies[by] }];
    }),
  ) as unknown as Record<`session_${EndingReason}`, ErrorDescription>;
}

export const deviceErrors = {
  invalid_key: { when: "no such access key.", message: "Invalid access key" },
  key_expired: { when: "the key's time is over.", message: "This access key has expired" },
  key_revoked: { when: "the operator has revoked the key.", message: "This access key has been revoked" },
  session_not_found: {
    when: "an id that this service never saw, or has forgotten after the retention.",
    message: "Session not found or expired",
  },
  key_in_use: {
    when: 'another session of the key is live, and `on_conflict` was `"refuse"`; or another device has a lease of it, until `leased_until`.',
    message: "Another device is using this access key",
    data: { schema: keyInUse, example: { holder: example.holder } },
  },
  holder_changed: {
    when: "the live holder has another generation than `expected_generation`.",
    message: "Another device has taken this access key over in the meantime",
    data: { schema: refusedByHolder, example: { holder: example.holder } },
  },
  session_id_used: {
    when: "that session id has ended, or belongs to another key. Take a new one.",
    message: "This session id has been used before, please start with a new one",
  },
  proof_challenge: {
    when: "the beat does not follow from the last one of the session's current instance. No heartbeat: send the same again with `proof.answer` set to `challenge`.",
    message: "Please answer the challenge, to prove that you are still running",
    data: { schema: challenged, example: { challenge: example.challenge } },
  },
  proof_required: {
    when: "the session's client sends proof with every beat, and this call has none. It keeps nothing alive.",
    message: "This session takes only heartbeats with proof",
  },
  lease_unavailable: {
    when: "the service gives no leases, or not for so long (`hours_max`; 0: none), or the key expires.",
    message: "No lease can be had",
    data: { schema: leaseUnavailable, example: { hours_max: 72 } },
  },
  ...endingErrors(),
} satisfies Errors;

export const devicePart: Part = {
  tag: {
    name: "Device sessions",
    description:
      "One live device per access key. Whoever starts last holds the key; the device before learns why it lost it, and by which device.",
  },
  access: {
    session: {
      schemes: { sessionId: { type: "http", scheme: "bearer", description: "The id of a live device session." } },
    },
  },
  schemas: {
    Device: device,
    Proof: proof,
    Holder: holder,
    PreviousSession: previousSession,
    StartRequest: startRequest,
    StartReply: startReply,
    HeartbeatRequest: heartbeatRequest,
    HeartbeatReply: heartbeatReply,
    EndRequest: endRequest,
    EndReply: endReply,
    StatusRequest: statusRequest,
    StatusReply: statusReply,
    ...leaseSchemas,
    ...ownerSchemas,
  },
  routes: [
    {
      method: "post",
      path: "/api/session/start",
      operationId: "startSession",
      access: "anybody",
      summary: "Start a session, taking the key over from the device that holds it",
      description:
        "Safe to retry with the same `session_id`: while that session is live it is given back (`resumed`), afterwards it is refused; it never takes over twice.",
      body: { content: [{ schema: startRequest, examples: example.startRequests }] },
      answers: [
        {
          status: 200,
          description: "The session is live, and the key's only one.",
          content: [{ schema: startReply, examples: example.startReplies }],
        },
      ],
      errors: [
        "invalid_key",
        "key_expired",
        "key_revoked",
        "key_in_use",
        "holder_changed",
        "session_id_used",
        "proof_challenge",
        "proof_required",
        "session_cloned",
        "rate_limited",
      ],
    },
    {
      method: "post",
      path: "/api/session/heartbeat",
      operationId: "beatSession",
      access: "anybody",
      summary: "Keep a live session live",
      description: "Send the next after `heartbeat_in` seconds. It never creates, revives or moves a session.",
      body: {
        content: [{ schema: heartbeatRequest, examples: { heartbeat: example.mine, with_proof: example.proven } }],
      },
      answers: [
        {
          status: 200,
          description: "The session is live until `expires_at`.",
          content: [{ schema: heartbeatReply, examples: { live: example.beat } }],
        },
      ],
      errors: ["session_not_found", "proof_challenge", "proof_required", ...ENDING_CODES],
    },
    {
      method: "post",
      path: "/api/session/end",
      operationId: "endSession",
      access: "anybody",
      summary: "End a session",
      description: "A late call of a replaced device never ends its successor.",
      body: { content: [{ schema: endRequest, examples: { end: example.mine } }] },
      answers: [
        {
          status: 200,
          description: "Whether this call ended it: `false` if it was not live.",
          content: [{ schema: endReply, examples: { ended: { success: true }, not_live: { success: false } } }],
        },
      ],
    },
    {
      method: "post",
      path: "/api/session/status",
      operationId: "readStatus",
      access: "anybody",
      summary: "Who holds the key now",
      description: "The session id is whole only where the caller sent that same id. An unknown key is not active.",
      body: { content: [{ schema: statusRequest, examples: example.statusRequests }] },
      answers: [
        {
          status: 200,
          description: "The live session, if there is one.",
          content: [{ schema: statusReply, examples: example.statusReplies }],
        },
      ],
      errors: ["rate_limited"],
    },
    {
      method: "get",
      path: "/api/session/watch",
      operationId: "watchSession",
      access: "session",
      summary: "Be told within milliseconds how the session ends",
      description:
        "Server-sent events: first `live`, then comments every 15 seconds, then one final event after which the server closes. A stream that ends without a final event says nothing: open it again. Watching is no heartbeat.",
      parameters: queryOf(watchQuery, {
        proof: {
          description:
            "`true`: the caller's heartbeats have proof, so it is told of a copy as `cloned`, else as `revoked`.",
        },
      }),
      answers: [
        {
          status: 200,
          description: "The stream. `x-events` names the schema of each event's data.",
          content: [{ type: "text/event-stream", schema: example.stream, examples: example.streams }],
          events: {
            live: heartbeatReply,
            ...Object.fromEntries(ENDING_REASONS.map((reason) => [reason, `session_${reason}` as const])),
          },
          headers: ["Cache-Control"],
        },
      ],
      errors: ["unauthorized", "session_not_found", ...ENDING_CODES],
    },
    ...leaseDescriptions,
    ...ownerDescriptions,
  ],
};
