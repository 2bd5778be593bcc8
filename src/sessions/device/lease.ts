import { randomUUID } from "node:crypto";
import { REQUEST_DEADLINE_MS } from "../../database/database.ts";
import { AppError, unavailable } from "../../errors.ts";
import { writeLease } from "../../trust/lease-token.ts";
import { chooseSigningKey, type SigningKey } from "../../trust/signing-keys.ts";
import type { LeaseReply, LeaseRequest } from "./contract.ts";
import type { DeviceSessions } from "./deps.ts";
import { type Ending, endingOf } from "./ending.ts";
import { takeLeaseRow } from "./lease-sql.ts";
import { proofChallenge, proofRequired } from "./proof.ts";
import { lookAtSessions } from "./sql.ts";

export interface Leasing {
  /** OFFLINE_HOURS_MAX; 0: no leases are given. */
  offlineHoursMax: number;
  /** The newest first; none: no leases are given. */
  signingKeys: readonly SigningKey[];
}

/**
 * Gives a live session a lease: for so many hours, at most until its key expires, nobody else can start with the key. Asked
 * again while it holds, it is the same lease, whatever is asked for; `trusts` (Keybeat-Trusts) chooses who signs it. With
 * proof it is a beat as well, judged as any other.
 *
 * Throws an AppError, and nothing has changed: lease_unavailable, proof_required, proof_challenge (ask again, with the
 * answer). After unavailable the outcome is unknown: ask again.
 */
export async function takeLease(
  service: DeviceSessions & Leasing,
  { session_id, hours, proof }: LeaseRequest,
  trusts: string | undefined,
): Promise<{ live: true; reply: LeaseReply } | { live: false; ending: Ending | "unknown" }> {
  const key = chooseSigningKey(service.signingKeys, trusts);
  if (hours > service.offlineHoursMax || key === undefined) throw leaseUnavailable(service);
  const seconds = hours * 3600;
  const giveUpAt = performance.now() + REQUEST_DEADLINE_MS;
  const asked = { sessionId: session_id, seconds, newId: randomUUID(), proof };
  const row = await takeLeaseRow(service.database, asked, giveUpAt);
  if (row.outcome === "unavailable") throw leaseUnavailable(service);
  if (row.outcome === "not_live") return { live: false, ending: await lookAtEnding(service, session_id, giveUpAt) };
  if (row.outcome === "proof_challenge") throw proofChallenge({ challenge: row.challenge as string });
  if (row.outcome === "proof_required") throw proofRequired();
  if (row.outcome === "session_cloned") {
    service.countCopy?.();
    return { live: false, ending: { reason: "cloned", data: { ended_at: row.at.toISOString() } } };
  }
  const [issued_at, until] = [row.issued_at.toISOString(), row.until.toISOString()];
  const { lease_id, access_key, generation, device } = row;
  const lease = writeLease(key, {
    lease_id,
    key: access_key,
    generation,
    device: device ?? undefined,
    issued_at,
    until,
  });
  return { live: true, reply: { lease, until, issued_at, server_time: row.at.toISOString() } };
}

/** Both statements share one deadline, so that the answer comes in time (G8). */
async function lookAtEnding(
  { database }: DeviceSessions,
  sessionId: string,
  giveUpAt: number,
): Promise<Ending | "unknown"> {
  const [row] = await lookAtSessions(database, [sessionId], true, { until: giveUpAt });
  if (row === undefined) return "unknown";
  if (row.outcome === "locked" || row.outcome === "live") throw unavailable(new Error("the session is just changing"));
  return endingOf(row);
}

function leaseUnavailable({ offlineHoursMax, signingKeys }: Leasing): AppError {
  const hours_max = signingKeys.length === 0 ? 0 : offlineHoursMax;
  return new AppError("lease_unavailable", "No lease can be had", { hours_max });
}
