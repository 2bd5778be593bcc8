/** Leases in the OpenAPI document. */
import type { RouteDescription } from "../../http/openapi/part.ts";
import { leaseReply, leaseRequest, returnLeaseReply, returnLeaseRequest } from "./contract.ts";
import * as example from "./description-examples.ts";
import { ENDING_CODES } from "./endings.ts";

export const leaseSchemas = {
  LeaseRequest: leaseRequest,
  LeaseReply: leaseReply,
  ReturnLeaseRequest: returnLeaseRequest,
  ReturnLeaseReply: returnLeaseReply,
};

export const leaseDescriptions: RouteDescription[] = [
  {
    method: "post",
    path: "/api/session/lease",
    operationId: "takeLease",
    access: "anybody",
    summary: "Hold the key for some hours, to work without this service",
    description:
      "Until then, and at most until the key expires, nobody else can start with the key. The session itself expires by silence as ever; a start with the lease brings the device back. Asked again while it holds, it is the same lease. Where the session has proof, the request is a beat like a heartbeat, with proof, and counts as one.",
    body: {
      content: [
        { schema: leaseRequest, examples: { a_day: example.leaseRequest, with_proof: example.provenLeaseRequest } },
      ],
    },
    answers: [
      {
        status: 200,
        description: "The signed lease.",
        content: [{ schema: leaseReply, examples: { leased: example.leaseReply } }],
      },
    ],
    errors: ["lease_unavailable", "session_not_found", "proof_challenge", "proof_required", ...ENDING_CODES],
  },
  {
    method: "post",
    path: "/api/session/lease/return",
    operationId: "returnLease",
    access: "anybody",
    summary: "Give a lease back, so that others can start with its key",
    body: { content: [{ schema: returnLeaseRequest, examples: { back: { lease: example.leaseReply.lease } } }] },
    answers: [
      {
        status: 200,
        description: "Whether this call ended it: `false` if it had ended, or never was.",
        content: [{ schema: returnLeaseReply, examples: { ended: { success: true }, over: { success: false } } }],
      },
    ],
  },
];
