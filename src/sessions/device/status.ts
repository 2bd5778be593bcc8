import { REQUEST_DEADLINE_MS } from "../../database/database.ts";
import { unavailable } from "../../errors.ts";
import { formsOf } from "../../keys/index.ts";
import type { StatusReply, StatusRequest } from "./contract.ts";
import type { DeviceSessions } from "./deps.ts";
import { lookAtSessionOfKey, selectStatus } from "./sql.ts";

/** Who holds the key now. The session's id is whole only for the caller who already knows it. */
export async function readStatus(
  service: DeviceSessions,
  request: StatusRequest,
  from?: () => string | null,
): Promise<StatusReply> {
  const address = from?.() ?? null;
  service.unknownKeys?.admit(address);
  const [given = "", minted] = formsOf(request.access_key);
  let hash = service.hashKey(given);
  // All that is read shares one deadline, so that the answer comes in time (G8).
  const until = performance.now() + REQUEST_DEADLINE_MS;
  const read = () => selectStatus(service.database, hash, request.session_id, until);
  let row = await read();
  if (row === undefined && minted !== undefined) {
    hash = service.hashKey(minted);
    row = await read();
  }
  // "Nobody is on" must be final, but an outage that begins now would bring the session back. So it is expired first.
  if (row?.live === false) {
    const outcome = await lookAtSessionOfKey(service.database, hash, until);
    if (outcome !== "locked") row = await read();
    if (row?.live === false) throw unavailable(new Error("the session's end cannot be recorded just now"));
  }
  // Counted, but neither reported nor awaited, so that the answer is that of an existing idle key.
  if (row === undefined) service.unknownKeys?.count(address).catch(() => {});
  const leased = row?.leased_until ? { leased_until: row.leased_until.toISOString() } : {};
  if (!row?.live) return { active: false, ...leased };
  return {
    active: true,
    ...leased,
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
