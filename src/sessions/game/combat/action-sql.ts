/** What takes in an action: migrations/functions/game-actions.sql, which says what it guarantees. */
import type { Database } from "../../../database/database.ts";
import type { Sql } from "../../../database/lane.ts";
import type { GameRow, Reader } from "../sql.ts";
import type { ActionType } from "./contract.ts";
import { change, type EventRow, type StateRow } from "./sql.ts";

export interface NewAction {
  sessionId: string;
  playerId: string;
  type: ActionType;
  targetId: string | null;
  actionId: string;
  /** Of the request: another one with that id is refused. */
  hash: Uint8Array;
  /** What the client says of it. */
  data: { parameters?: object | undefined; timestamp?: string | undefined };
  /** By a service: what it has reckoned itself. */
  given: {
    damage: number | null;
    effects: object[] | null;
    eliminated: boolean | null;
    score: number | null;
  };
}

/** Why an action is none. */
export type ActionRefusal =
  | "session_not_found"
  | "action_conflict"
  | "forbidden"
  | "not_participant"
  | "not_active"
  | "cooldown"
  | "paused"
  | "session_over"
  | "unknown_target";

export type ActionOutcome = GameRow & {
  outcome: "happened" | "repeated" | ActionRefusal;
  /** Of the player; null: none. */
  standing: "active" | "eliminated" | "disconnected" | null;
  ready_in_ms: number | null;
  /** It, and the state right after it. */
  event: Pick<EventRow, "sequence" | "at" | "data">;
  state: StateRow;
};

export async function insertAction(database: Database, action: NewAction, by: Reader): Promise<ActionOutcome> {
  const { given } = action;
  const row = await change(
    database,
    action.sessionId,
    (sql, id) => sql`
      SELECT v.outcome, v.standing, v.ready_in_ms, v.event, v.state, (v.game).*
      FROM act_in_combat(
        ${id}, ${by.playerId ?? null}::uuid, ${by.isService}, ${action.playerId}::uuid, ${action.type}, ${action.targetId}::uuid,
        ${action.actionId}::uuid, ${action.hash}, ${json(sql, action.data)}, ${given.damage}, ${json(sql, given.effects)},
        ${given.eliminated}, ${given.score}) v`,
  );
  return row as unknown as ActionOutcome;
}

/** As jsonb; nothing at all is null. */
const json = (sql: Sql, value: object | null) => (value === null ? null : sql.json(value as never));
