/** Why a call about a match has changed nothing, in the words of the wire. */
import { AppError } from "../../../errors.ts";
import { noSuchSession } from "../../no-such-session.ts";
import type { GameRow } from "../sql.ts";
import type { ActionOutcome, ActionRefusal } from "./action-sql.ts";
import type { PassageOutcome, PassageRefusal } from "./sql.ts";

/** Throws what the call was refused for, if it was. */
export function unlessRefused(row: PassageOutcome<string> | ActionOutcome): void {
  const refuse = REFUSALS[row.outcome as Refusal] as ((row: Row) => AppError) | undefined;
  if (refuse) throw refuse(row);
}

type Refusal = PassageRefusal | ActionRefusal;
type Row = GameRow & Partial<Pick<ActionOutcome, "standing" | "ready_in_ms">> & { places_left?: number };

const REFUSALS: Record<Refusal, (row: Row) => AppError> = {
  session_not_found: noSuchSession,
  forbidden: () => new AppError("forbidden", "This token belongs to another player"),
  not_open: () => new AppError("not_open", "This match is not open"),
  session_over: ({ status, ended_reason, ended_at }) =>
    new AppError("session_over", `The session is over: ${status}`, {
      status,
      ended_reason,
      ended_at: ended_at?.toISOString(),
    }),
  not_participant: () => new AppError("not_participant", "The player takes no part in this match"),
  not_active: ({ standing = "eliminated" }) => new AppError("not_active", `The player is ${standing}`),
  full: ({ places_left }) => new AppError("full", `The match has ${places_left || "no"} places left`, { places_left }),
  action_conflict: () => new AppError("action_conflict", "This action_id belongs to another action"),
  cooldown: ({ ready_in_ms }) =>
    new AppError("cooldown", "This action is not ready yet", { ready_in: (ready_in_ms ?? 0) / 1000 }),
  paused: () => new AppError("paused", "The session is paused"),
  unknown_target: () => new AppError("unknown_target", "The target takes no part in this match"),
};
