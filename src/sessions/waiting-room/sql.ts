/** Every statement of the waiting room. What each guarantees stands with its function in migrations/. */
import { type Database, REQUEST_DEADLINE_MS } from "../../database/database.ts";

/** Serialises the calls that take the room's lock; otherwise they would occupy every connection waiting for it. */
const ROOM = "waiting room";

export interface PlaceRow {
  outcome: "active" | "queued" | "queue_full" | "unknown_user" | "again";
  session_id: string;
  created_at: Date;
  line_position: number;
  wait_seconds: number | null;
  active: number;
  max_active: number;
}

/** Takes a seat or a place in line, or returns the user's present place. */
export async function takePlaceRow(
  database: Database,
  place: { userId: string; sessionId: string; priority: number },
): Promise<PlaceRow> {
  const [row] = await database.requests.query(
    (sql, waits) => sql<PlaceRow[]>`
      SELECT * FROM take_place(caller_waits(${waits}, ${place.userId}::text), ${place.sessionId}, ${place.priority})`,
    ROOM,
  );
  return row as PlaceRow;
}

/** Where the user stands; asking keeps the place. */
export async function askPlaceRow(database: Database, userId: string): Promise<PlaceRow> {
  const until = performance.now() + REQUEST_DEADLINE_MS;
  const [row] = await database.requests.query((sql) => sql<PlaceRow[]>`SELECT * FROM ask_place(${userId})`);
  if (row?.outcome !== "again") return row as PlaceRow;
  const [locked] = await database.requests.query(
    (sql, waits) => sql<PlaceRow[]>`SELECT * FROM ask_place_in_room(caller_waits(${waits}, ${userId}::text))`,
    ROOM,
    until,
  );
  return locked as PlaceRow;
}

/** The next waiter is in when it resolves. Returns whether there was a place. */
export async function leavePlaceRow(database: Database, userId: string): Promise<boolean> {
  const [row] = await database.requests.query(
    (sql, waits) => sql`SELECT leave_place(caller_waits(${waits}, ${userId}::text)) AS left`,
    ROOM,
  );
  return row?.left;
}

/**
 * The place falls due in so many seconds, unless the user is heard of until then. Never puts it off. A seat that is
 * not claimed yet is left to its own, short, time. Returns whether there was a place.
 */
export async function leavePlaceRowSoon(database: Database, userId: string, seconds: number): Promise<boolean> {
  const [row] = await database.requests.query(
    (sql, waits) => sql`SELECT leave_place_soon(caller_waits(${waits}, ${userId}::text), ${seconds}) AS leaving`,
    ROOM,
  );
  return row?.leaving;
}

export interface RoomRow {
  active_sessions: number;
  max_sessions: number;
  queue_length: number;
  active_requests: number;
  max_requests: number;
  paused: boolean;
}

/** The counts, once all that was due is gone. */
export async function selectRoom(database: Database): Promise<RoomRow> {
  const [row] = await database.requests.query((sql) => sql<RoomRow[]>`SELECT * FROM room_status()`);
  return row as RoomRow;
}

/** Removes at most 1,000 due places and lets in the next users, unless another call is at it. Returns how many. */
export async function settleRoom(database: Database): Promise<number> {
  const [row] = await database.background.query((sql) => sql`SELECT settle_free_room() AS removed`);
  return row?.removed;
}

export interface PermitRow {
  outcome: "granted" | "waiting" | "full" | "not_active" | "gone";
  expires_at: Date;
}

export async function requestPermitRow(
  database: Database,
  permit: { permitId: string; userId: string; waitMs: number },
): Promise<PermitRow> {
  const [row] = await database.requests.query(
    (sql, waits) => sql<PermitRow[]>`
      SELECT * FROM request_permit(caller_waits(${waits}, ${permit.permitId}::text), ${permit.userId}, ${permit.waitMs})`,
    ROOM,
  );
  return row as PermitRow;
}

export async function takePermitRow(database: Database, permitId: string, until: number): Promise<PermitRow> {
  const [row] = await database.requests.query(
    (sql, waits) => sql<PermitRow[]>`SELECT * FROM take_permit(caller_waits(${waits}, ${permitId}::text))`,
    ROOM,
    until,
  );
  return row as PermitRow;
}

/** Returns it, or stops waiting for it; the next request has it when this resolves. */
export async function dropPermitRow(
  database: Database,
  permitId: string,
  onlyOfUserId: string | undefined,
  until?: number,
): Promise<boolean> {
  const [row] = await database.requests.query(
    (sql, waits) =>
      sql`SELECT drop_permit(caller_waits(${waits}, ${permitId}::text), ${onlyOfUserId ?? null}) AS dropped`,
    ROOM,
    until,
  );
  return row?.dropped;
}

export interface LineRow {
  /** Everybody who waits, the next one first. */
  waiting: string[];
  seated: string[];
  seconds_per_seat: number | null;
}

/** The whole line as it stood at one moment. Looking keeps nobody's place. */
export async function selectLine(database: Database): Promise<LineRow> {
  const [row] = await database.requests.query(
    (sql) => sql<LineRow[]>`
      SELECT (SELECT coalesce(json_agg(p.user_id ORDER BY p.priority DESC, p.ticket), '[]')
              FROM waiting_room_places p WHERE p.seated_at IS NULL) AS waiting,
             (SELECT coalesce(json_agg(p.user_id), '[]') FROM waiting_room_places p WHERE p.seated_at IS NOT NULL) AS seated,
             (SELECT seconds_per_seat(r, clock_timestamp()) FROM waiting_room r) AS seconds_per_seat`,
  );
  return row as LineRow;
}

export interface DepartureRow {
  user_id: string;
  move: string;
  at: Date;
}

/** The last move of each of these users: how they lost their place. An erased user has none, and was removed. */
export async function selectDepartures(database: Database, userIds: string[]): Promise<DepartureRow[]> {
  return database.requests.query(
    (sql) => sql<DepartureRow[]>`
      SELECT asked.user_id, coalesce(last.move, 'removed') AS move, coalesce(last.at, clock_timestamp()) AS at
      FROM jsonb_array_elements_text(${sql.json(userIds)}) AS asked (user_id)
      LEFT JOIN LATERAL (
        SELECT m.move, m.at FROM waiting_room_moves m WHERE m.user_id = asked.user_id ORDER BY m.id DESC LIMIT 1) last ON true`,
  );
}

/** Keeps the places in line of users whose event stream is open. */
export async function keepWaiterRows(database: Database, userIds: string[]): Promise<void> {
  await database.background.query((sql) => sql`SELECT keep_waiters(${sql.json(userIds)})`);
}

export interface RoomNow {
  active: number;
  seats: number;
  waiting: number;
  waitingMax: number;
  /** Under way. */
  requests: number;
  requestsMax: number;
  paused: boolean;
  /** The id of the last move; 0 before the first. */
  lastMove: number;
}

/** The room as it is; takes no lock and removes nobody. */
export async function selectRoomNow(database: Database): Promise<RoomNow> {
  const [row] = await database.background.query(
    (sql) => sql`
      SELECT r.active, r.max_active AS seats, (SELECT sum(n)::int FROM unnest(r.waiting) n) AS waiting,
             r.max_waiting AS "waitingMax", r.max_requests AS "requestsMax", r.paused,
             (SELECT count(*)::int FROM waiting_room_permits p WHERE p.granted AND p.expires_at > clock_timestamp()) AS requests,
             coalesce((SELECT max(m.id) FROM waiting_room_moves m), 0)::bigint AS "lastMove"
      FROM waiting_room r`,
  );
  return row as RoomNow;
}

/** The moves after one, in heaps of the same kind and amount; `last` is the highest id among them. */
export async function countMoves(
  database: Database,
  after: number,
): Promise<Array<{ move: string; amount: number | null; count: number; last: number }>> {
  return database.background.query(
    (sql) => sql<Array<{ move: string; amount: number | null; count: number; last: number }>>`
      SELECT m.move, m.amount, count(*)::int AS count, max(m.id) AS last
      FROM waiting_room_moves m WHERE m.id > ${after} GROUP BY m.move, m.amount`,
  );
}

export interface RoomSettings {
  maxActive: number;
  maxRequests: number;
  maxWaiting: number;
  seatSeconds: number;
  waiterSeconds: number;
  claimSeconds: number;
  requestSeconds: number;
}

/** Makes the settings those of the installation. An operator's number of seats stays until the setting changes. */
export async function configureRoom(database: Database, room: RoomSettings): Promise<void> {
  await database.background.query(
    (sql) => sql`
      SELECT configure_room(${room.maxActive}, ${room.maxRequests}, ${room.maxWaiting}, ${room.seatSeconds},
                            ${room.waiterSeconds}, ${room.claimSeconds}, ${room.requestSeconds})`,
  );
}

/** Forgets at most 10,000 moves that are older than the retention. */
export async function forgetMoves(database: Database, retentionDays: number): Promise<void> {
  await database.background.query((sql) => sql`SELECT forget_moves(${retentionDays})`);
}
