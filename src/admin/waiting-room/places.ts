import type { Operator } from "../../audit/operator.ts";
import type { Database } from "../../database/database.ts";
import { AppError } from "../../errors.ts";
import {
  admitWaiterRow,
  type PlaceRow,
  prioritiseWaiterRow,
  removePlaceRow,
  selectPlaces,
  settleRoom,
} from "../../sessions/waiting-room/operator-sql.ts";
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

/** Among the new equals they stand where they came. Throws user_not_found, or not_waiting. */
export async function prioritiseWaiter(
  database: Database,
  waiter: { userId: string; priority: number },
  by: Operator,
): Promise<PlaceItem> {
  const waits = await prioritiseWaiterRow(database, waiter, by);
  const place = await readPlace(database, waiter.userId);
  if (!waits) throw notWaiting();
  return place;
}

/** Past the line and a pause. Throws user_not_found, not_waiting, or room_full. */
export async function admitWaiter(database: Database, userId: string, by: Operator): Promise<PlaceItem> {
  const outcome = await admitWaiterRow(database, userId, by);
  if (outcome === "full") throw new AppError("room_full", "Every seat is taken: remove somebody, or add a seat");
  const place = await readPlace(database, userId);
  if (outcome === "not_waiting") throw notWaiting();
  return place;
}

/** Throws user_not_found. */
export async function removePlace(
  database: Database,
  place: { userId: string; reason: string | null },
  by: Operator,
): Promise<void> {
  if (!(await removePlaceRow(database, place, by))) throw userNotFound();
}

export const userNotFound = () => new AppError("user_not_found", "This user has neither a seat nor a place in line");
const notWaiting = () => new AppError("not_waiting", "This user has a seat already");

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
