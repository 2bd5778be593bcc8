import type { StatusReply, StatusRequest } from "./contract.ts";
import type { DeviceSessions } from "./service.ts";
import { selectStatus } from "./sql.ts";

/** Who holds the key now. The session's id is whole only for the caller who already knows it. */
export async function readStatus(service: DeviceSessions, request: StatusRequest): Promise<StatusReply> {
  const row = await selectStatus(service.database, service.hashKey(request.access_key), request.session_id);
  if (!row) return { active: false };
  return {
    active: true,
    session: {
      session_id: row.session_id,
      is_current: row.is_current,
      generation: row.generation,
      started_at: row.started_at.toISOString(),
      last_heartbeat: row.last_heartbeat.toISOString(),
      expires_at: row.expires_at.toISOString(),
      device: row.device,
    },
  };
}
