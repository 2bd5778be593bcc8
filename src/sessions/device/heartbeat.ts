import type { Device, HeartbeatReply } from "./contract.ts";
import { type DeviceSessions, heartbeatIn } from "./service.ts";

export type EndingReason = "replaced" | "expired" | "ended" | "revoked";

export type HeartbeatOutcome =
  | { live: true; reply: HeartbeatReply }
  | { live: false; reason: "unknown" }
  | {
      live: false;
      reason: EndingReason;
      ended_at: string;
      replaced_by?: { started_at: string; device: Device | null };
    };

/** Keeps a live session live, or tells why it is not. Throws `unavailable`: then nothing is known, ask again. */
export async function beatSession(service: DeviceSessions, sessionId: string): Promise<HeartbeatOutcome> {
  const beat = await service.heartbeats(sessionId);
  if (beat === "unknown") return { live: false, reason: "unknown" };
  if ("at" in beat) {
    return {
      live: true,
      reply: {
        success: true,
        generation: beat.generation,
        expires_at: beat.at.expiresAt,
        expires_in: beat.at.timeoutSeconds,
        heartbeat_in: heartbeatIn(service.heartbeatSeconds),
        server_time: beat.at.serverTime,
      },
    };
  }
  const endedAt = new Date(beat.ended_at).toISOString();
  return {
    live: false,
    reason: beat.outcome as EndingReason,
    ended_at: endedAt,
    // Whoever replaced it started at the very moment that it ended.
    ...(beat.outcome === "replaced" && { replaced_by: { started_at: endedAt, device: beat.replaced_by_device } }),
  };
}
