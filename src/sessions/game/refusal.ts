/** Why a call about a session has changed nothing, in the words of the wire. */
import { AppError } from "../../errors.ts";
import { noSuchSession } from "../no-such-session.ts";
import type { GameOutcome, GameRow, Refusal } from "./sql.ts";

/** Hands through the session where the call was carried out; throws what it was refused for. */
export function unlessRefused<Done extends string>(row: GameOutcome<Done>): GameRow & { outcome: Done } {
  const refuse = REFUSALS[row.outcome as Refusal] as ((row: GameRow) => AppError) | undefined;
  if (refuse) throw refuse(row);
  return row as GameRow & { outcome: Done };
}

const REFUSALS: Record<Refusal, (row: GameRow) => AppError> = {
  session_not_found: noSuchSession,
  forbidden: () => new AppError("forbidden", "Only who made the session may change it"),
  session_over: ({ status, ended_reason, ended_at }) =>
    new AppError("session_over", `The session is over: ${status}`, {
      status,
      ended_reason,
      ended_at: ended_at?.toISOString(),
    }),
  precondition_failed: ({ version }) => changedSince("precondition_failed", version),
  version_conflict: ({ version }) => changedSince("version_conflict", version),
};

const changedSince = (code: "precondition_failed" | "version_conflict", version: number) =>
  new AppError(code, "The session has been changed since", { version });
