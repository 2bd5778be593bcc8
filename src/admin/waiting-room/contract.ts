/**
 * The wire contract of the operator's side of the waiting room. Places come in the order of the list: the seats by
 * ticket, then the line as it will be let in. Whoever is let in or gets another priority between two pages moves with it;
 * nobody else is repeated or hidden by that.
 */
import { z } from "zod";
import { moment, text } from "../../sessions/contract.ts";
import { move, priority, userId } from "../../sessions/waiting-room/contract.ts";
import { id, inQuery, page, reason } from "../contract.ts";

const SEATS_MAX = 1_000_000;

export const patchRoomRequest = z
  .object({ paused: z.boolean().optional(), max_active: z.int().min(0).max(SEATS_MAX).optional() })
  .refine((patch) => patch.paused !== undefined || patch.max_active !== undefined, "must change paused or max_active");

export const listPlacesQuery = z.object({
  ...inQuery,
  state: z.enum(["waiting", "seated"]).optional(),
  /** The first characters of the user's id. */
  user: text(128).optional(),
});

export const patchPlaceRequest = z.object({ priority });
/** The audit log keeps the reason. */
export const removePlaceRequest = z.object({ reason: reason.nullish() });
export const movesQuery = z.object(inQuery);

export const roomReply = z.object({
  paused: z.boolean(),
  active: z.int(),
  max_active: z.int(),
  /** QUEUE_MAX_ACTIVE as it was applied last; null: no process has started yet. */
  max_active_configured: z.int().nullable(),
  waiting: z.int(),
  /** Ten numbers: how many wait with priority 0, with priority 1, and so on. */
  waiting_by_priority: z.array(z.int()),
  max_waiting: z.int(),
  active_requests: z.int(),
  max_requests: z.int(),
  seat_seconds: z.int(),
  waiter_seconds: z.int(),
  claim_seconds: z.int(),
  request_seconds: z.int(),
  /** Between two seats that are given up, of late; null: none was. */
  seconds_per_seat: z.number().nullable(),
  /** For a newcomer with priority 0. 0: there is a free seat; null: unknown. */
  estimated_wait_minutes: z.int().min(0).nullable(),
});

export const placeItem = z.object({
  user_id: userId,
  state: z.enum(["waiting", "seated"]),
  /** 1 for the next in line; null for a seat. */
  position: z.int().min(1).nullable(),
  priority,
  ticket: z.int(),
  created_at: moment,
  last_seen: moment,
  seated_at: moment.nullable(),
  /** Null while waiting. False: let in, and has not shown up yet. */
  claimed: z.boolean().nullable(),
});
export const placesPage = page(placeItem);

export const moveItem = z.object({
  id,
  at: moment,
  move,
  priority,
  ticket: z.int(),
  /** How long they had waited, of `promoted` and `admitted`. */
  waited_seconds: z.int().min(0).nullable(),
});
/** Newest first. */
export const movesPage = page(moveItem);

export type PatchRoom = z.infer<typeof patchRoomRequest>;
export type ListPlaces = z.infer<typeof listPlacesQuery>;
export type RoomReply = z.infer<typeof roomReply>;
export type PlaceItem = z.infer<typeof placeItem>;
export type MoveItem = z.infer<typeof moveItem>;
