import type { HeartbeatReply, Proof } from "./contract.ts";
import type { DeviceSessions } from "./deps.ts";
import type { Ending } from "./ending.ts";
import { proofChallenge, proofRequired } from "./proof.ts";

export type HeartbeatOutcome = { live: true; reply: HeartbeatReply } | { live: false; ending: Ending | "unknown" };

/**
 * Keeps a live session live, or tells why it is not. Throws `unavailable` if the outcome is unknown: ask again; and, of a
 * live session that this keeps not alive, `proof_challenge` or `proof_required`.
 */
export async function beatSession(
  service: DeviceSessions,
  sessionId: string,
  proof?: Proof,
): Promise<HeartbeatOutcome> {
  const beat = await service.heartbeats(sessionId, proof);
  if ("unproven" in beat) throw beat.unproven === "proof_required" ? proofRequired() : proofChallenge(beat.unproven);
  if ("ending" in beat) return { live: false, ending: beat.ending };
  return {
    live: true,
    reply: {
      success: true,
      generation: beat.generation,
      expires_at: beat.at.expiresAt,
      expires_in: beat.at.expiresInSeconds,
      heartbeat_in: heartbeatIn(service.heartbeatSeconds, beat.at.agoSeconds),
      server_time: beat.at.serverTime,
    },
  };
}

/** Below it, a client would not believe when the next heartbeat is due. */
const HEARTBEAT_IN_MIN = 0.1;

/**
 * When the next heartbeat is due, so many seconds after the last: the interval less up to a sixth (30 s become 25 to 30 s),
 * so that devices that started together, after an outage say, drift apart.
 */
export function heartbeatIn(heartbeatSeconds: number, agoSeconds = 0): number {
  const due = heartbeatSeconds * (1 - Math.random() / 6) - agoSeconds;
  return Math.max(HEARTBEAT_IN_MIN, Math.round(due * 10) / 10);
}
