import type { Database } from "../../database/database.ts";
import { AppError } from "../../errors.ts";
import { type PlaceRow, selectPlaces, settleRoom } from "../../sessions/waiting-room/operator-sql.ts";
import { pageOf } from "../page-of.ts";
import type { ListPlaces, PlaceItem } from "./contract.ts";

/** A cursor is one number: where in the list, then which ticket. Tickets are counted from 1 and never come near it. */
const TICKETS_MAX = 1e14;

/** A page of the places that fit all that is asked for: the seats by ticket, then the line, the next one first. */
export async function listPlaces(database: Database, asked: ListPlaces) {
  await settleRoom(database);
  const { cursor, limit, state, user } = asked;
  const after =
    cursor === undefined ? undefined : { rank: Math.floor(cursor / TICKETS_MAX), ticket: cursor % TICKETS_MAX };
  const rows = await selectPlaces(database, { state, user: user || undefined, after, limit: limit + 1 });
  return pageOf(rows, limit, { placeOf: (row) => row.rank * TICKETS_MAX + row.ticket, item: itemOf });
}

/** Throws user_not_found. */
export async function readPlace(database: Database, userId: string): Promise<PlaceItem> {
  await settleRoom(database);
  const [row] = await selectPlaces(database, { userId, limit: 1 });
  if (!row) throw userNotFound();
  return itemOf(row);
}

export const userNotFound = () => new AppError("user_not_found", "This user has neither a seat nor a place in line");
export const notWaiting = () => new AppError("not_waiting", "This user has a seat already");

function itemOf({ rank, line_position, ...row }: PlaceRow): PlaceItem {
  return {
    user_id: row.user_id,
    state: rank === 0 ? "seated" : "waiting",
    position: line_position,
    priority: row.priority,
    ticket: row.ticket,
    created_at: row.created_at.toISOString(),
    last_seen: row.last_seen.toISOString(),
    seated_at: row.seated_at?.toISOString() ?? null,
    claimed: row.claimed,
  };
}
