import type { Database } from "../../database/database.ts";
import type { StatusReply } from "./contract.ts";
import { selectRoom } from "./sql.ts";

/** The room's counts. If fewer seats are set than are taken, none is available. */
export async function readRoomStatus(room: { database: Database }): Promise<StatusReply> {
  const { paused: _operators, ...counts } = await selectRoom(room.database);
  return {
    active_sessions: counts.active_sessions,
    max_sessions: counts.max_sessions,
    queue_length: counts.queue_length,
    available_slots: Math.max(0, counts.max_sessions - counts.active_sessions),
    active_requests: counts.active_requests,
    max_requests: counts.max_requests,
  };
}
