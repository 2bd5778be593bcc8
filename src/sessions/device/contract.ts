/** The wire contract of device sessions: requests and responses as zod schemas. The clients take their types from here. */
import { z } from "zod";
import { accessKey, described, moment } from "../contract.ts";
import { ENDING_REASONS } from "./endings.ts";

export { ENDED_BY_OPERATOR, type EndingReason } from "./endings.ts";

export const sessionId = z.string().regex(/^[A-Za-z0-9_-]{16,128}$/, "must be 16 to 128 characters of A-Z a-z 0-9 _ -");

export const device = z.object({
  name: described(100).optional(),
  platform: described(50).optional(),
  app_version: described(50).optional(),
});

const proofWord = z.string().regex(/^[A-Za-z0-9_-]{16,128}$/, "must be 16 to 128 characters of A-Z a-z 0-9 _ -");

/** What shows that two beats come from one process (src/trust/README.md). */
export const proof = z.object({
  /** Random, made by the process, in its memory only. */
  instance: proofWord,
  /** Rises with every beat of the instance; the start's is one, too. */
  number: z.int().min(0),
  /** Random; the same where the same beat is sent again. */
  beat_id: proofWord,
  /** The challenge of a 409 proof_challenge. */
  answer: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,256}$/, "must be the challenge: 1 to 256 characters of A-Z a-z 0-9 _ -")
    .optional(),
});

/** The signed lease, as it was given. What is none counts as none. */
const leaseText = z.string().max(4096);

export const startRequest = z.object({
  access_key: accessKey,
  session_id: sessionId.optional(),
  device: device.optional(),
  on_conflict: z.enum(["replace", "refuse"]).default("replace"),
  expected_generation: z.int().min(0).optional(),
  proof: proof.optional(),
  lease: leaseText.optional(),
});

export const heartbeatRequest = z.object({ session_id: sessionId, proof: proof.optional() });

/** The body of 409 proof_challenge beyond the common part. */
export const challenged = z.object({ challenge: z.string() });

/** Of GET watch: a caller whose beats have proof is told of a copy as such. */
export const watchQuery = z.object({ proof: z.enum(["true", "false"]).optional() });

export const endRequest = z.object({ session_id: sessionId });
export const statusRequest = z.object({ access_key: accessKey, session_id: sessionId.optional() });

/** The session that a start ended, as its successor sees it. */
export const previousSession = z.object({
  session_id: z.string(),
  started_at: moment,
  last_heartbeat: moment,
  device: device.nullable(),
});

export const startReply = z.object({
  success: z.literal(true),
  session_id: sessionId,
  generation: z.int(),
  resumed: z.boolean(),
  previous_session_terminated: z.boolean(),
  previous_session: previousSession.nullable(),
  started_at: moment,
  expires_at: moment,
  expires_in: z.number(),
  heartbeat_in: z.number(),
  server_time: moment,
});

/** Who holds the key, in a refusal: 409 key_in_use and holder_changed. */
export const holder = z.object({
  started_at: moment,
  last_heartbeat: moment,
  generation: z.int(),
  device: device.nullable(),
});

export const refusedByHolder = z.object({ holder });
/** Of key_in_use: until when a lease keeps the key from everybody else. The holder, if it is not live, is then whose it is. */
export const keyInUse = z.object({ holder, leased_until: moment.optional() });

export const heartbeatReply = z.object({
  success: z.literal(true),
  generation: z.int(),
  expires_at: moment,
  expires_in: z.number(),
  heartbeat_in: z.number(),
  server_time: moment,
});

export const endReply = z.object({ success: z.boolean() });

/** Until when a lease keeps the key from everybody else. */
const leased = { leased_until: moment.optional() };

export const statusReply = z.discriminatedUnion("active", [
  z.object({ active: z.literal(false), ...leased }),
  z.object({
    active: z.literal(true),
    ...leased,
    session: z.object({
      session_id: z.string(),
      is_current: z.boolean(),
      generation: z.int(),
      started_at: moment,
      last_heartbeat: moment,
      expires_at: moment,
      device: device.nullable(),
    }),
  }),
]);

/** What the owner of a key does with the key alone. */
export const signOutRequest = z.object({ access_key: accessKey, expected_generation: z.int().min(0) });
export const signOutReply = z.object({ success: z.boolean() });
export const historyRequest = z.object({ access_key: accessKey });

/** The last ten endings, the newest first; days are those of UTC. */
export const historyReply = z.object({
  endings: z.array(z.object({ day: z.iso.date(), reason: z.enum(ENDING_REASONS) })).max(10),
});

/** How long the device wants to work without us; parts of an hour, too. With proof it is a beat. */
export const leaseRequest = z.object({
  session_id: sessionId,
  hours: z.number().min(0.01).max(100_000),
  proof: proof.optional(),
});
export const leaseReply = z.object({ lease: z.string(), until: moment, issued_at: moment, server_time: moment });
export const returnLeaseRequest = z.object({ lease: leaseText });
export const returnLeaseReply = z.object({ success: z.boolean() });
/** The body of lease_unavailable; 0: none at all. */
export const leaseUnavailable = z.object({ hours_max: z.number() });

/** The body of 410 beyond the common part. */
export const ended = z.object({
  ended_at: moment,
  replaced_by: z.object({ started_at: moment, device: device.nullable() }).optional(),
  /** What the operator, or who signed it out, says to the person at the device. */
  reason: z.string().optional(),
});
/** The bodies of session_replaced, of those that somebody else ended, and of the others. */
export const replacedBody = ended.pick({ ended_at: true, replaced_by: true }).required();
export const notedBody = ended.pick({ ended_at: true, reason: true });
export const endedBody = ended.pick({ ended_at: true });

export type Proof = z.infer<typeof proof>;
export type Device = z.infer<typeof device>;
export type StartRequest = z.infer<typeof startRequest>;
export type HeartbeatRequest = z.infer<typeof heartbeatRequest>;
export type StatusRequest = z.infer<typeof statusRequest>;
export type StartReply = z.infer<typeof startReply>;
export type Holder = z.infer<typeof holder>;
export type HeartbeatReply = z.infer<typeof heartbeatReply>;
export type SignOutRequest = z.infer<typeof signOutRequest>;
export type HistoryRequest = z.infer<typeof historyRequest>;
export type HistoryReply = z.infer<typeof historyReply>;
export type LeaseRequest = z.infer<typeof leaseRequest>;
export type LeaseReply = z.infer<typeof leaseReply>;
export type StatusReply = z.infer<typeof statusReply>;
export type Ended = z.infer<typeof ended>;
