import type { Operator } from "../../audit/operator.ts";
import type { Database } from "../../database/database.ts";
import { changeRoomRow, type RoomRow, selectRoom, settleRoom } from "../../sessions/waiting-room/operator-sql.ts";
import { waitMinutes } from "../../sessions/waiting-room/place.ts";
import type { PatchRoom, RoomReply } from "./contract.ts";

/** The room's settings and counts, once all that was due is gone. */
export async function readRoom(database: Database): Promise<RoomReply> {
  await settleRoom(database);
  const row = await selectRoom(database);
  const waiting = row.waiting_by_priority.reduce((sum, n) => sum + n, 0);
  return { ...row, waiting, estimated_wait_minutes: estimateWait(row, waiting) };
}

/** More seats let in exactly as many more users; fewer evict nobody. While paused nobody is let in. */
export async function changeRoom(database: Database, patch: PatchRoom, by: Operator): Promise<RoomReply> {
  await changeRoomRow(database, { paused: patch.paused, maxActive: patch.max_active }, by);
  return readRoom(database);
}

function estimateWait(row: RoomRow, waiting: number): number | null {
  if (row.paused || row.max_active === 0) return null;
  if (waiting === 0 && row.active < row.max_active) return 0;
  return waitMinutes(row.seconds_per_seat === null ? null : (waiting + 1) * row.seconds_per_seat);
}
