/** The waiting room as operators see it. Each change writes its entry into the audit log in the same statement. */

import type { Operator } from "../../audit/operator.ts";
import type { Database } from "../../database/database.ts";
import type { Move } from "./contract.ts";

export interface RoomRow {
  paused: boolean;
  active: number;
  max_active: number;
  max_active_configured: number | null;
  waiting_by_priority: number[];
  max_waiting: number;
  active_requests: number;
  max_requests: number;
  seat_seconds: number;
  waiter_seconds: number;
  claim_seconds: number;
  request_seconds: number;
  seconds_per_seat: number | null;
}

/** Removes what is due, so that nobody is shown whose time is over. */
export async function settleRoom(database: Database): Promise<void> {
  await database.operators.query((sql) => sql`SELECT settle_room()`);
}

/** The settings and counts of one moment. */
export async function selectRoom(database: Database): Promise<RoomRow> {
  const [row] = await database.operators.query(
    (sql) => sql<RoomRow[]>`
      SELECT r.paused, r.active, r.max_active, r.max_active_configured, to_jsonb(r.waiting) AS waiting_by_priority,
             r.max_waiting,
             (SELECT count(*)::int FROM waiting_room_permits p
              WHERE p.granted AND p.expires_at > clock_timestamp()) AS active_requests,
             r.max_requests, r.seat_seconds, r.waiter_seconds, r.claim_seconds, r.request_seconds,
             seconds_per_seat(r, clock_timestamp()) AS seconds_per_seat
      FROM waiting_room r`,
  );
  return row as RoomRow;
}

export interface PlaceFilter {
  userId?: string | undefined;
  /** The beginning of the user's id. */
  user?: string | undefined;
  state?: "waiting" | "seated" | undefined;
  /** Only places behind this one. */
  after?: { rank: number; ticket: number } | undefined;
  limit: number;
}

export interface PlaceRow {
  user_id: string;
  /** 0 in a seat, else 1 to 10: the order of the priorities in line. */
  rank: number;
  line_position: number | null;
  priority: number;
  ticket: number;
  created_at: Date;
  last_seen: Date;
  seated_at: Date | null;
  claimed: boolean | null;
}

/** The seats, then the line; the position is that in the whole line, whatever is asked for. Looking keeps nobody's place. */
export async function selectPlaces(database: Database, filter: PlaceFilter): Promise<PlaceRow[]> {
  const { userId, user, state, after, limit } = filter;
  return database.operators.query(
    (sql) => sql<PlaceRow[]>`
      SELECT place.* FROM (
        SELECT p.user_id, 0 AS rank, NULL::bigint AS line_position, p.priority, p.ticket, p.created_at, p.last_seen,
               p.seated_at, p.claimed
        FROM waiting_room_places p WHERE p.seated_at IS NOT NULL
        UNION ALL
        SELECT p.user_id, 10 - p.priority, row_number() OVER (ORDER BY p.priority DESC, p.ticket), p.priority, p.ticket,
               p.created_at, p.last_seen, NULL, NULL
        FROM waiting_room_places p WHERE p.seated_at IS NULL
      ) place
      WHERE true
        ${userId === undefined ? sql`` : sql`AND place.user_id = ${userId}`}
        ${user === undefined ? sql`` : sql`AND starts_with(place.user_id, ${user})`}
        ${state === "waiting" ? sql`AND place.rank > 0` : sql``}
        ${state === "seated" ? sql`AND place.rank = 0` : sql``}
        ${after === undefined ? sql`` : sql`AND (place.rank, place.ticket) > (${after.rank}::int, ${after.ticket}::bigint)`}
      ORDER BY place.rank, place.ticket LIMIT ${limit}`,
  );
}

export interface MoveRow {
  id: number;
  at: Date;
  move: Move;
  priority: number;
  ticket: number;
  amount: number | null;
}

/** Newest first, `before` excluded. */
export async function selectMoves(
  database: Database,
  page: { userId: string; before: number | undefined; limit: number },
): Promise<MoveRow[]> {
  return database.operators.query(
    (sql) => sql<MoveRow[]>`
      SELECT m.id, m.at, m.move, m.priority, m.ticket, m.amount FROM waiting_room_moves m
      WHERE m.user_id = ${page.userId} AND m.id < ${page.before ?? Number.MAX_SAFE_INTEGER}
      ORDER BY m.id DESC LIMIT ${page.limit}`,
  );
}

/** Users who get a seat by it are in when it resolves. Values that are set already are no change, and no entry. */
export async function changeRoomRow(
  database: Database,
  patch: { paused: boolean | undefined; maxActive: number | undefined },
  by: Operator,
): Promise<void> {
  await database.operators.query(
    (sql, waits) => sql`
      SELECT CASE WHEN done.changed <> '{}' THEN
        record_audit(${by.who}, ${by.from}, 'waiting_room_changed', NULL, done.changed) END AS entry
      FROM change_room(caller_waits(${waits}, ${patch.paused ?? null}::boolean), ${patch.maxActive ?? null}) done`,
  );
}

/** Returns whether the user waits; the ticket stays. */
export async function prioritiseWaiterRow(
  database: Database,
  waiter: { userId: string; priority: number },
  by: Operator,
): Promise<boolean> {
  const { userId, priority } = waiter;
  const [row] = await database.operators.query(
    (sql, waits) => sql`
      SELECT done.changed, CASE WHEN done.changed THEN
        record_audit(${by.who}, ${by.from}, 'waiter_prioritised', NULL,
                     jsonb_build_object('user_id', ${userId}::text, 'priority', ${priority}::int)) END AS entry
      FROM prioritise_waiter(caller_waits(${waits}, ${userId}::text), ${priority}) done`,
  );
  return row?.changed;
}

/** Past the line and a pause, never past the number of seats. */
export async function admitWaiterRow(
  database: Database,
  userId: string,
  by: Operator,
): Promise<"admitted" | "full" | "not_waiting"> {
  const [row] = await database.operators.query(
    (sql, waits) => sql`
      SELECT done.outcome, CASE WHEN done.outcome = 'admitted' THEN
        record_audit(${by.who}, ${by.from}, 'waiter_admitted', NULL,
                     jsonb_build_object('user_id', ${userId}::text)) END AS entry
      FROM admit_waiter(caller_waits(${waits}, ${userId}::text)) done`,
  );
  return row?.outcome;
}

/** Removes a seat or a place in line; the next user is in when it resolves. Returns whether there was one. */
export async function removePlaceRow(
  database: Database,
  place: { userId: string; reason: string | null },
  by: Operator,
): Promise<boolean> {
  const { userId, reason } = place;
  const [row] = await database.operators.query(
    (sql, waits) => sql`
      SELECT done.had_place, CASE WHEN done.had_place THEN
        record_audit(${by.who}, ${by.from}, 'place_removed', NULL,
                     jsonb_build_object('user_id', ${userId}::text, 'reason', ${reason}::text)) END AS entry
      FROM leave_place(caller_waits(${waits}, ${userId}::text), true) done`,
  );
  return row?.had_place;
}

/** Takes away all that is known of a user. The entry does not say of whom. Returns whether there was anything. */
export async function eraseUserRow(database: Database, userId: string, by: Operator): Promise<boolean> {
  const [row] = await database.operators.query(
    (sql, waits) => sql`
      SELECT done.known, CASE WHEN done.known THEN
        record_audit(${by.who}, ${by.from}, 'user_erased', NULL, NULL) END AS entry
      FROM erase_user(caller_waits(${waits}, ${userId}::text)) done`,
  );
  return row?.known;
}
