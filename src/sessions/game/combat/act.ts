import { randomUUID } from "node:crypto";
import type { Database } from "../../../database/database.ts";
import { hashRequest } from "../../idempotency.ts";
import type { GameCaller } from "../caller.ts";
import { insertAction } from "./action-sql.ts";
import type { ActionRequest, ActionResult } from "./contract.ts";
import { unlessRefused } from "./refusal.ts";
import { describeState, wire } from "./session.ts";

/**
 * Carries out an action, once by its `action_id`: the same again gets the same answer, also after the end. Of what a player
 * says of its effects nothing is believed, of what a service says all. Throws an AppError, in this order: session_not_found,
 * action_conflict, forbidden, not_participant, not_active, cooldown, paused, session_over, unknown_target; or unavailable.
 */
export async function act(
  database: Database,
  sessionId: string,
  request: ActionRequest,
  by: GameCaller,
): Promise<ActionResult> {
  const { player_id, target_id, action_id = randomUUID(), parameters, timestamp } = request;
  const given = by.isService ? request : undefined;
  const row = await insertAction(
    database,
    {
      sessionId,
      playerId: player_id,
      type: request.action_type,
      targetId: target_id ?? null,
      actionId: action_id,
      hash: hashRequest(request),
      data: { parameters, timestamp },
      given: {
        damage: given?.damage ?? null,
        effects: given?.effects ?? null,
        eliminated: given?.eliminated ?? null,
        score: given?.score ?? null,
      },
    },
    by,
  );
  unlessRefused(row);
  const { sequence, at, data } = row.event;
  const { damage_dealt, effects = [] } = data as Pick<ActionResult, "damage_dealt"> &
    Partial<Pick<ActionResult, "effects">>;
  return {
    action_id,
    success: true,
    sequence,
    damage_dealt,
    effects,
    new_state: describeState(row.state),
    timestamp: wire(at),
  };
}
