/** The wire contract of the waiting room: requests and responses as zod schemas. */
import { z } from "zod";
import { filled, moment, pathName } from "../contract.ts";

export const WAIT_MS_MAX = 30_000;

export const GRACE_SECONDS_MAX = 60;

export const graceSeconds = z.coerce.number().int().min(0).max(GRACE_SECONDS_MAX).default(0);

export const userId = pathName(128);

export const priority = z.int().min(0).max(9);

/** What becomes of a place. */
export const move = z.enum([
  "seated",
  "queued",
  "promoted",
  "admitted",
  "claimed",
  "prioritised",
  "closed",
  "left",
  "expired",
  "abandoned",
  "unclaimed",
  "removed",
]);

/** If users have tokens, `priority` is a claim of the token, and this one is ignored. */
export const createRequest = z.object({
  user_id: userId,
  session_id: filled(128),
  priority: priority.default(0),
});

/** The claims of a user's token. Any other priority counts as none. */
export const tokenClaims = z.object({ priority: priority.catch(0) });

export const permitRequest = z.object({
  user_id: userId,
  wait_ms: z.int().min(0).max(WAIT_MS_MAX).default(0),
});

/** Whole minutes, at least 1; null unless seats were given up lately. */
const waitMinutes = z.int().min(1).nullable();

export const createReply = z.discriminatedUnion("status", [
  z.object({ status: z.literal("active"), session_id: z.string(), created_at: moment }),
  z.object({
    status: z.literal("queued"),
    position: z.int().min(1),
    estimated_wait_minutes: waitMinutes,
    active_sessions: z.int(),
    max_sessions: z.int(),
  }),
]);

/** Also the data of the events `position` and `promoted`. */
export const positionReply = z.discriminatedUnion("status", [
  z.object({ user_id: userId, position: z.literal(0), status: z.literal("active") }),
  z.object({
    user_id: userId,
    position: z.int().min(1),
    status: z.literal("queued"),
    estimated_wait_minutes: waitMinutes,
  }),
]);

/** How a place was lost: the data of the events `closed` and `expired`. */
export const departureEvent = z.object({
  user_id: userId,
  reason: z.enum(["closed", "left", "removed", "expired", "abandoned", "unclaimed"]),
  at: moment,
});

export const closeReply = z.object({ message: z.string(), user_id: userId });

export const statusReply = z.object({
  active_sessions: z.int(),
  max_sessions: z.int(),
  queue_length: z.int(),
  available_slots: z.int(),
  active_requests: z.int(),
  max_requests: z.int(),
});

export const cleanupReply = z.object({ message: z.string(), current_status: statusReply });

export const permitReply = z.object({ permit_id: z.string(), expires_at: moment });

export const permitReturnReply = z.object({ message: z.string(), permit_id: z.string() });

export type Move = z.infer<typeof move>;
export type CreateRequest = z.infer<typeof createRequest>;
export type PermitRequest = z.infer<typeof permitRequest>;
export type CreateReply = z.infer<typeof createReply>;
export type PositionReply = z.infer<typeof positionReply>;
export type DepartureEvent = z.infer<typeof departureEvent>;
export type StatusReply = z.infer<typeof statusReply>;
export type PermitReply = z.infer<typeof permitReply>;
