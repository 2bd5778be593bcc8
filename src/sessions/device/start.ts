import { randomUUID } from "node:crypto";
import { AppError } from "../../errors.ts";
import { readLeaseId } from "../../trust/lease-token.ts";
import type { StartReply, StartRequest } from "./contract.ts";
import type { DeviceSessions } from "./deps.ts";
import { ENDINGS } from "./endings.ts";
import { heartbeatIn } from "./heartbeat.ts";
import { momentOf } from "./heartbeat-batch.ts";
import { proofChallenge, proofRequired } from "./proof.ts";
import { refusal, tooOften } from "./refusal.ts";
import { startSessionRow } from "./sql.ts";
import { askUnderKey } from "./under-key.ts";

/** The same number as in the function start_session. */
const PING_PONG_SWAPS = 20;

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
  const { row, hash, maskedKey } = await askUnderKey(service.hashKey, request.access_key, (hash, maskedKey, until) =>
    startSessionRow(
      service.database,
      {
        hash,
        maskedKey,
        sessionId,
        device: request.device,
        refuse: request.on_conflict === "refuse",
        expectedGeneration: request.expected_generation,
        startsMax: service.startsMax ?? 0,
        proof: request.proof,
        leaseId: request.lease === undefined ? undefined : readLeaseId(request.lease),
      },
      until,
    ),
  );
  if (row.outcome === "rate_limited") {
    service.countRefusal?.(row.outcome);
    if (row.swaps > PING_PONG_SWAPS) service.reportPingPong?.({ hash, maskedKey, swaps: row.swaps });
    throw tooOften(row.wait_seconds ?? 1);
  }
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
    throw refusal(row.outcome, row.holder, row.leased_until);
  }
  const heard = momentOf(row, row.at);
  return {
    success: true,
    session_id: sessionId,
    generation: row.generation,
    resumed: row.outcome === "resumed",
    previous_session_terminated: row.holder !== null,
    previous_session: row.holder && {
      session_id: row.holder.session_id,
      started_at: new Date(row.holder.started_at).toISOString(),
      last_heartbeat: new Date(row.holder.last_heartbeat).toISOString(),
      device: row.holder.device,
    },
    started_at: row.started_at.toISOString(),
    expires_at: heard.expiresAt,
    expires_in: heard.expiresInSeconds,
    heartbeat_in: heartbeatIn(service.heartbeatSeconds, heard.agoSeconds),
    server_time: heard.serverTime,
  };
}
