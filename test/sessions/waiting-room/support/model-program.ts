/** The room under the model's eyes: calls its verbs, moves its time, reads its rows. */
import { openListener } from "../../../../src/database/listener.ts";
import { AppError } from "../../../../src/errors.ts";
import { createLog } from "../../../../src/log.ts";
import { expirePlaces } from "../../../../src/sessions/waiting-room/cleanup.ts";
import type { WaitingRoom } from "../../../../src/sessions/waiting-room/deps.ts";
import {
  closePlace,
  createPlace,
  readPosition,
  readRoomStatus,
  requestPermit,
  returnPermit,
} from "../../../../src/sessions/waiting-room/index.ts";
import { type Line, openLine } from "../../../../src/sessions/waiting-room/line.ts";
import { openPermitOffers, type PermitOffers } from "../../../../src/sessions/waiting-room/permit-offers.ts";
import { configureRoom } from "../../../../src/sessions/waiting-room/sql.ts";
import { cloneDatabase, type TestDatabase } from "../../../support/database.ts";
import { type Answer, type Call, type Reference, SMALL_ROOM } from "./model-reference.ts";

/** An empty room, with an empty audit. */
export async function empty(db: TestDatabase): Promise<void> {
  await db.sql.unsafe(`
    DELETE FROM waiting_room_places;
    UPDATE waiting_room SET active = 0, waiting = '{0,0,0,0,0,0,0,0,0,0}', next_due = 'infinity', occupied_since = NULL,
                            vacated = '{}', paused = false, max_active_configured = NULL;`);
  await configureRoom(db.database, SMALL_ROOM);
  await db.sql`DELETE FROM waiting_room_moves`;
}

/** Every answer of the program in the words of the reference, refusals included; throws what is neither. */
export async function ask(db: TestDatabase, room: WaitingRoom, call: Call): Promise<Answer & { permitId?: string }> {
  try {
    return await (isOperators(call) ? operate(db, call) : askVerb(room, call));
  } catch (error) {
    if (!(error instanceof AppError) || error.code === "unavailable") throw error;
    return { is: error.code === "user_not_found" ? "unknown" : error.code };
  }
}

async function askVerb(room: WaitingRoom, call: Call): Promise<Answer & { permitId?: string }> {
  const user_id = call.userId;
  switch (call.do) {
    case "create": {
      const reply = await createPlace(room, { user_id, session_id: `of ${user_id}`, priority: call.priority });
      if (reply.status === "active") return { is: reply.session_id === `of ${user_id}` ? "active" : "another's" };
      const { position, active_sessions: active, max_sessions: seats } = reply;
      return { is: "queued", position, estimated: reply.estimated_wait_minutes !== null, active, seats };
    }
    case "position": {
      const reply = await readPosition(room, user_id);
      if (reply.status === "active") return { is: "active" };
      return { is: "queued", position: reply.position, estimated: reply.estimated_wait_minutes !== null };
    }
    case "request":
      return { is: "granted", permitId: (await requestPermit(room, { user_id, wait_ms: 0 })).permit_id };
    case "give back":
      return { is: (await returnPermit(room, call.permitId, undefined)) ? "given back" : "nothing" };
    case "cleanup": {
      const removed = await expirePlaces(room.database, 0);
      return { is: removed > 0 ? "some" : "none", removed };
    }
    case "status": {
      const reply = await readRoomStatus(room);
      const { active_sessions: active, max_sessions: seats, queue_length: waiting } = reply;
      return { is: "counts", active, seats, waiting, free: reply.available_slots, requests: reply.active_requests };
    }
    default:
      throw new Error(`no verb for ${call.do}`);
  }
}

/** Closing is told apart in the audit alone: from the seat, from the line, or by an operator. */
async function operate(db: TestDatabase, call: Call): Promise<Answer> {
  const user = call.userId;
  const one = async (rows: PromiseLike<Array<Record<string, unknown>>>) => (await rows)[0]?.outcome;
  switch (call.do) {
    case "close": {
      const had = await closePlace({ database: db.database } as WaitingRoom, user);
      return { is: had ? await lastMoveOf(db, user) : "nothing" };
    }
    case "remove": {
      const had = await one(db.sql`SELECT leave_place(${user}, true) AS outcome`);
      return { is: had ? await lastMoveOf(db, user) : "nothing" };
    }
    case "prioritise": {
      const changed = await one(db.sql`SELECT prioritise_waiter(${user}, ${call.priority}) AS outcome`);
      return { is: changed ? "changed" : "not_waiting" };
    }
    case "admit":
      return { is: String(await one(db.sql`SELECT admit_waiter(${user}) AS outcome`)) };
    case "capacity":
      await db.sql`SELECT set_capacity(${call.seats})`;
      return { is: "done" };
    default:
      await db.sql`SELECT pause_room(${call.do === "pause"})`;
      return { is: "done" };
  }
}

const OPERATORS = ["close", "remove", "prioritise", "admit", "capacity", "pause", "resume"];
const isOperators = (call: Call) => OPERATORS.includes(call.do);

async function lastMoveOf(db: TestDatabase, user: string): Promise<string> {
  const [row] = await db.sql`SELECT move FROM waiting_room_moves WHERE user_id = ${user} ORDER BY id DESC LIMIT 1`;
  return row?.move;
}

/** Dates the rows so that everybody is as silent as the reference says, and lets the room's own clock run on so far. */
export async function pin(db: TestDatabase, reference: Reference, passedSeconds: number): Promise<void> {
  const { nowSeconds } = reference;
  const places = reference.places.map((place) => [
    place.user,
    nowSeconds - place.seenAtSeconds,
    place.seatedAtSeconds === undefined ? null : nowSeconds - place.seatedAtSeconds,
  ]);
  const permits = reference.permits.map((permit) => [permit.id, permit.expiresAtSeconds - nowSeconds]);
  await db.sql`
    WITH ageing AS (
      UPDATE waiting_room SET next_due = next_due - make_interval(secs => ${passedSeconds})
    ), aged AS (
      UPDATE waiting_room_permits p SET expires_at = clock_timestamp() + make_interval(secs => (pair->>1)::int)
      FROM json_array_elements(${JSON.stringify(permits)}::text::json) pair WHERE p.permit_id = pair->>0
    )
    UPDATE waiting_room_places p SET last_seen = clock_timestamp() - make_interval(secs => (place->>1)::int),
                                     seated_at = clock_timestamp() - make_interval(secs => (place->>2)::int)
    FROM json_array_elements(${JSON.stringify(places)}::text::json) place WHERE p.user_id = place->>0`;
}

/** What there is to see of a room: who sits, who waits where, for how long each is silent, and how it came to that. */
export interface Scene {
  seats: Array<[user: string, claimed: boolean, silentSeconds: number]>;
  line: Array<[user: string, position: number, silentSeconds: number]>;
  permits: string[];
  counts: { active: number; waiting: number };
  moves: string[];
}

export async function readScene(db: TestDatabase): Promise<Scene> {
  const [row] = await db.sql`
    WITH p AS (SELECT *, floor(extract(epoch FROM clock_timestamp() - last_seen))::int AS silent FROM waiting_room_places)
    SELECT (SELECT coalesce(json_agg(json_build_array(user_id, claimed, silent) ORDER BY user_id), '[]')
            FROM p WHERE seated_at IS NOT NULL) AS seats,
           (SELECT coalesce(json_agg(json_build_array(w.user_id, line_position(w), p.silent)
                                     ORDER BY w.priority DESC, w.ticket), '[]')
            FROM waiting_room_places w JOIN p USING (user_id) WHERE w.seated_at IS NULL) AS line,
           (SELECT coalesce(json_agg(permit_id ORDER BY permit_id), '[]') FROM waiting_room_permits) AS permits,
           (SELECT json_build_object('active', active, 'waiting', (SELECT sum(n) FROM unnest(waiting) n))
            FROM waiting_room) AS counts,
           (SELECT coalesce(json_agg(concat_ws(' ', move, user_id) ORDER BY id), '[]') FROM waiting_room_moves) AS moves`;
  return row as unknown as Scene;
}

/** The same of the reference. */
export function describeScene(reference: Reference): Scene {
  const silent = (place: { seenAtSeconds: number }) => reference.nowSeconds - place.seenAtSeconds;
  const seated = reference.places.filter((place) => place.seatedAtSeconds !== undefined);
  const line = reference.line();
  return {
    seats: seated
      .map((place): Scene["seats"][number] => [place.user, place.claimed, silent(place)])
      .sort(([a], [b]) => (a < b ? -1 : 1)),
    line: line.map((place, index) => [place.user, index + 1, silent(place)]),
    permits: reference.permits.map(({ id }) => id).sort(),
    counts: { active: seated.length, waiting: line.length },
    moves: reference.moves,
  };
}

export interface Lane extends TestDatabase {
  line: Line;
  offers: PermitOffers;
  drop(): Promise<void>;
}

/** A room of its own, for stories that are told one after the other. */
export async function openLane(): Promise<Lane> {
  const db = await cloneDatabase();
  // What is not flushed to disk at every commit is lost only in a crash, and none happens here.
  await db.sql.unsafe(`ALTER DATABASE ${db.name} SET synchronous_commit = off`);
  const log = createLog("silent");
  const listener = openListener(db.url, log);
  const line = openLine({ database: db.database, listener, log });
  line.close();
  await listener.close();
  return { ...db, line, offers: openPermitOffers(listener) };
}
