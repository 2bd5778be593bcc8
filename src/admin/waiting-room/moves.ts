import type { Database } from "../../database/database.ts";
import { type MoveRow, selectMoves, settleRoom } from "../../sessions/waiting-room/operator-sql.ts";
import { pageOf } from "../page-of.ts";
import type { MoveItem } from "./contract.ts";
import { readPlace } from "./places.ts";

/** All that is kept of a user's moves, the newest first. Throws user_not_found. */
export async function listMoves(
  database: Database,
  userId: string,
  page: { cursor?: number | undefined; limit: number },
) {
  await settleRoom(database);
  const rows = await selectMoves(database, { userId, before: page.cursor, limit: page.limit + 1 });
  if (rows.length === 0 && page.cursor === undefined) await readPlace(database, userId);
  return pageOf(rows, page.limit, { placeOf: (row) => row.id, item: itemOf });
}

function itemOf({ amount, at, ...row }: MoveRow): MoveItem {
  return { ...row, at: at.toISOString(), waited_seconds: amount };
}
