/**
 * Permits: they limit how many requests run at once, over all processes.
 *
 *   request ─► granted ──────────────────────────────► given back, or dead after the request timeout
 *      └─────► waiting ─► offered ─ taken ─► granted
 *                 └─► full after wait_ms   └─ not taken within 5 s: offered to the next (its process died)
 */
import { randomUUID } from "node:crypto";
import { REQUEST_DEADLINE_MS } from "../../database/database.ts";
import { AppError } from "../../errors.ts";
import type { PermitReply, PermitRequest } from "./contract.ts";
import type { WaitingRoom } from "./deps.ts";
import { dropPermitRow, type PermitRow, requestPermitRow, takePermitRow } from "./sql.ts";

/** How often a waiter looks for itself, as an offer may have been sent to a dead connection. */
const LOOK_MS = 1_500;

/**
 * Gets a permit, at once or in turn within `wait_ms`. A caller that goes away (`gone`) loses its turn. Throws an
 * AppError: not_active, too_many_requests, or unavailable.
 */
export async function requestPermit(
  room: WaitingRoom,
  request: PermitRequest,
  gone?: AbortSignal,
): Promise<PermitReply> {
  const permitId = randomUUID();
  const offers = room.offers.await(permitId);
  const giveUpAt = performance.now() + request.wait_ms;
  const until = giveUpAt + REQUEST_DEADLINE_MS;
  let held = false;
  try {
    let row = await requestPermitRow(room.database, {
      permitId,
      userId: request.user_id,
      waitMs: request.wait_ms,
    });
    held = row.outcome === "waiting" || row.outcome === "granted";
    while (row.outcome === "waiting" && !gone?.aborted) {
      const restMs = giveUpAt - performance.now();
      if (restMs <= 0) break;
      await offers.next(Math.min(restMs, LOOK_MS), gone);
      row = await takePermitRow(room.database, permitId, until);
    }
    if (row.outcome === "granted" && !gone?.aborted) {
      held = false; // it belongs to the caller now
      return { permit_id: permitId, expires_at: row.expires_at.toISOString() };
    }
    throw refusal(row.outcome);
  } finally {
    offers.stop();
    if (held) await dropPermitRow(room.database, permitId, undefined, until);
  }
}

/** Gives a permit back; the next waiter has it before this resolves. Returns whether it was still held. */
export function returnPermit(room: WaitingRoom, permitId: string, onlyOfUserId: string | undefined): Promise<boolean> {
  return dropPermitRow(room.database, permitId, onlyOfUserId);
}

function refusal(outcome: PermitRow["outcome"]): AppError {
  return outcome === "not_active" || outcome === "gone"
    ? new AppError("not_active", "Only a user who has a seat may send requests")
    : new AppError("too_many_requests", "Too many requests are under way, please try again");
}
