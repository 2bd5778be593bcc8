/** What a call of a live session is told whose proof is missing or does not do: neither is a heartbeat. */
import { AppError } from "../../errors.ts";

export const proofChallenge = (data: { challenge: string }): AppError =>
  new AppError("proof_challenge", "Please answer the challenge, to prove that you are still running", data);

export const proofRequired = (): AppError =>
  new AppError("proof_required", "This session takes only heartbeats with proof");
