import type { HeartbeatReply } from "./contract.ts";
import type { DeviceSessions } from "./deps.ts";
import type { Ending } from "./ending.ts";

export type HeartbeatOutcome = { live: true; reply: HeartbeatReply } | { live: false; ending: Ending | "unknown" };

/** Keeps a live session live, or tells why it is not. Throws `unavailable` if the outcome is unknown: ask again. */
export async function beatSession(service: DeviceSessions, sessionId: string): Promise<HeartbeatOutcome> {
  const beat = await service.heartbeats(sessionId);
  if ("ending" in beat) return { live: false, ending: beat.ending };
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

/**
 * When the next heartbeat is due: the interval less up to a sixth (30 s become 25 to 30 s), so that devices that started
 * together, after an outage say, drift apart.
 */
export function heartbeatIn(heartbeatSeconds: number): number {
  return Math.round(heartbeatSeconds * (1 - Math.random() / 6) * 10) / 10;
}
