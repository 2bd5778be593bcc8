import type { Database } from "../../database/database.ts";
import { unavailable } from "../../errors.ts";
import type { Endings } from "../../events/endings.ts";
import type { HeartbeatReply } from "./contract.ts";
import type { DeviceSessions } from "./deps.ts";
import { type Ending, endingOf } from "./ending.ts";
import { heartbeatIn } from "./heartbeat.ts";
import { type LookRow, lookAtSessions } from "./sql.ts";

export type WatchOutcome =
  | {
      live: true;
      /** As in a heartbeat's answer, though watching is no heartbeat. */
      reply: HeartbeatReply;
      /** Resolves when the session has ended; never if `stop` was called before. */
      ended: Promise<Ending>;
      stop(): void;
    }
  | { live: false; ending: Ending | "unknown" };

/**
 * Watches a live session; this is no heartbeat. For a session that is not live, answers as a heartbeat would. Throws
 * `unavailable`.
 */
export async function watchSession(
  service: DeviceSessions & { endings: Endings<Ending> },
  sessionId: string,
): Promise<WatchOutcome> {
  // Subscribe first, then look, so that an ending in between is told.
  let stop = () => {};
  const ended = new Promise<Ending>((resolve) => {
    stop = service.endings.subscribe(sessionId, resolve);
  });
  try {
    const [row] = await lookAtSessions(service.database, [sessionId], true);
    if (row?.outcome === "locked") throw unavailable(new Error("the session's end cannot be recorded just now"));
    if (row?.outcome === "live") return { live: true, reply: replyOf(row, service.heartbeatSeconds), ended, stop };
    stop();
    return { live: false, ending: row ? endingOf(row) : "unknown" };
  } catch (error) {
    stop();
    throw error;
  }
}

/** For the fan-out: which of these have ended, and how. */
export async function lookForEndings(database: Database, sessionIds: string[]): Promise<Map<string, Ending>> {
  const rows = await lookAtSessions(database, sessionIds, false);
  return new Map(rows.filter((row) => row.outcome !== "locked").map((row) => [row.session_id, endingOf(row)]));
}

function replyOf(row: LookRow, heartbeatSeconds: number): HeartbeatReply {
  return {
    success: true,
    generation: row.generation as number,
    expires_at: row.moment.toISOString(),
    expires_in: (row.moment.getTime() - row.at.getTime()) / 1000,
    heartbeat_in: heartbeatIn(heartbeatSeconds),
    server_time: row.at.toISOString(),
  };
}
