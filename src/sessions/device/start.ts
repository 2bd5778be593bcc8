import { randomUUID } from "node:crypto";
import { AppError, type ErrorCode } from "../../errors.ts";
import { formsOf, maskKey } from "../../keys/index.ts";
import type { StartReply, StartRequest } from "./contract.ts";
import type { DeviceSessions } from "./deps.ts";
import { ENDINGS } from "./endings.ts";
import { heartbeatIn } from "./heartbeat.ts";
import { momentOf } from "./heartbeat-batch.ts";
import { proofChallenge, proofRequired } from "./proof.ts";
import { type StartOutcome, startSessionRow } from "./sql.ts";

type Unproven = "proof_challenge" | "proof_required" | "session_cloned";
type Refusal = Exclude<StartOutcome, "started" | "resumed" | "rate_limited" | Unproven>;

/** The same number as in the function start_session. */
const PING_PONG_SWAPS = 20;

const REFUSALS: Record<Refusal & ErrorCode, string> = {
  invalid_key: "Invalid access key",
  key_expired: "This access key has expired",
  key_revoked: "This access key has been revoked",
  key_in_use: "Another device is using this access key",
  holder_changed: "Another device has taken this access key over in the meantime",
  session_id_used: "This session id has been used before, please start with a new one",
};

/**
 * Starts a session, taking the key over from the device that holds it. Safe to retry with the same session_id: while
 * that session is live it is returned (`resumed`), afterwards it is refused; it never takes over twice.
 *
 * Throws an AppError. Nothing has changed after invalid_key, key_expired, key_revoked, key_in_use, holder_changed,
 * session_id_used, proof_required, proof_challenge (start again, with the answer) and rate_limited (retry after that
 * time). After session_cloned this start has ended the session. After unavailable the outcome is unknown: retry with the
 * same session_id.
 */
export async function startSession(
  service: DeviceSessions,
  request: StartRequest,
  from?: () => string | null,
): Promise<StartReply> {
  const address = from?.() ?? null;
  service.unknownKeys?.admit(address);
  const sessionId = request.session_id ?? randomUUID();
  const { row, hash, maskedKey } = await startUnderKey(service, request, sessionId);
  if (row.outcome === "rate_limited") {
    service.countRefusal?.(row.outcome);
    if (row.swaps > PING_PONG_SWAPS) service.reportPingPong?.({ hash, maskedKey, swaps: row.swaps });
    throw tooOften(row.wait_seconds ?? 1);
  }
  const holder = row.holder && {
    session_id: row.holder.session_id,
    generation: row.holder.generation,
    started_at: new Date(row.holder.started_at).toISOString(),
    last_heartbeat: new Date(row.holder.last_heartbeat).toISOString(),
    device: row.holder.device,
  };
  if (row.outcome === "proof_challenge") throw proofChallenge({ challenge: row.challenge as string });
  if (row.outcome === "session_cloned") {
    service.countCopy?.();
    throw new AppError("session_cloned", ENDINGS.cloned.message, { ended_at: row.at.toISOString() });
  }
  if (row.outcome === "proof_required") {
    service.countRefusal?.(row.outcome);
    throw proofRequired();
  }
  if (row.outcome !== "started" && row.outcome !== "resumed") {
    service.countRefusal?.(row.outcome);
    if (row.outcome === "invalid_key") await service.unknownKeys?.count(address);
    const { session_id: _secret, ...seen } = holder ?? {};
    throw new AppError(row.outcome, REFUSALS[row.outcome], holder ? { holder: seen } : {});
  }
  const { generation: _own, ...previous } = holder ?? {};
  const heard = momentOf(row, row.at);
  return {
    success: true,
    session_id: sessionId,
    generation: row.generation,
    resumed: row.outcome === "resumed",
    previous_session_terminated: holder !== null,
    previous_session: holder && (previous as StartReply["previous_session"]),
    started_at: row.started_at.toISOString(),
    expires_at: heard.expiresAt,
    expires_in: heard.expiresInSeconds,
    heartbeat_in: heartbeatIn(service.heartbeatSeconds, heard.agoSeconds),
    server_time: heard.serverTime,
  };
}

/** Looks up the key as given, then, if unknown, as it would have been minted. */
async function startUnderKey(service: DeviceSessions, request: StartRequest, sessionId: string) {
  const [given = "", minted] = formsOf(request.access_key);
  const start = async (key: string) => {
    const hash = service.hashKey(key);
    const maskedKey = maskKey(key);
    const row = await startSessionRow(service.database, {
      hash,
      maskedKey,
      sessionId,
      device: request.device,
      refuse: request.on_conflict === "refuse",
      expectedGeneration: request.expected_generation,
      startsMax: service.startsMax ?? 0,
      proof: request.proof,
    });
    return { row, hash, maskedKey };
  };
  const started = await start(given);
  return started.row.outcome === "invalid_key" && minted !== undefined ? start(minted) : started;
}

function tooOften(retryAfterSeconds: number): AppError {
  const message = "This access key is being started again and again, please try again in a moment";
  return new AppError("rate_limited", message, {}, { retryAfterSeconds });
}
