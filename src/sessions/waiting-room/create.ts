import { AppError } from "../../errors.ts";
import type { CreateReply, CreateRequest } from "./contract.ts";
import type { WaitingRoom } from "./deps.ts";
import { waitMinutes } from "./place.ts";
import { takePlaceRow } from "./sql.ts";

/**
 * Gives the user a seat or a place in line; a user who has one keeps it, whichever tab asks. Throws an AppError:
 * queue_full (nothing has changed), or unavailable (the outcome is unknown: ask again).
 */
export async function createPlace(room: WaitingRoom, request: CreateRequest): Promise<CreateReply> {
  const row = await takePlaceRow(room.database, {
    userId: request.user_id,
    sessionId: request.session_id,
    priority: request.priority,
  });
  if (row.outcome === "queue_full") throw new AppError("queue_full", "The queue is full, please try again later");
  if (row.outcome === "active") {
    return { status: "active", session_id: row.session_id, created_at: row.created_at.toISOString() };
  }
  return {
    status: "queued",
    position: row.line_position,
    estimated_wait_minutes: waitMinutes(row.wait_seconds),
    active_sessions: row.active,
    max_sessions: row.max_active,
  };
}
