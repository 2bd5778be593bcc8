/** What the waiting room's tests need: fresh users, settings, time that passes, and the proof that the audit is fair. */
import { randomUUID } from "node:crypto";
import { expect } from "vitest";
import { configureRoom, type RoomSettings } from "../../../../src/sessions/waiting-room/sql.ts";
import type { Reply } from "../../../support/app.ts";
import type { TestDatabase } from "../../../support/database.ts";
import type { RunningServer } from "../../../support/process.ts";
import { type Move, replay } from "./replay.ts";

export const SETTINGS: RoomSettings = {
  maxActive: 20,
  maxRequests: 10,
  maxWaiting: 10_000,
  seatSeconds: 1800,
  waiterSeconds: 60,
  claimSeconds: 60,
  requestSeconds: 300,
};

export const ROUTE = "/api/v1/session";

export const newUser = (name = "user") => `${name}-${randomUUID()}`;

/** An empty room with these settings, whatever was in it. */
export async function resetRoom(db: TestDatabase, settings: Partial<RoomSettings> = {}): Promise<void> {
  await db.sql`TRUNCATE waiting_room_places, waiting_room_permits, waiting_room_moves`;
  await db.sql`
    UPDATE waiting_room SET active = 0, waiting = '{0,0,0,0,0,0,0,0,0,0}', next_due = 'infinity', occupied_since = NULL,
                            vacated = '{}', paused = false, max_active_configured = NULL`;
  await configureRoom(db.database, { ...SETTINGS, ...settings });
}

/** Lets time pass for these users' places (all, if none are named), by dating them back. */
export async function agePlaces(db: TestDatabase, seconds: number, userIds?: string[]): Promise<void> {
  await db.sql.begin(async (sql) => {
    await sql`SELECT FROM waiting_room FOR UPDATE`;
    await sql`
      UPDATE waiting_room_places SET last_seen = last_seen - make_interval(secs => ${seconds}),
                                     seated_at = seated_at - make_interval(secs => ${seconds})
      WHERE ${userIds === undefined} OR user_id IN (SELECT jsonb_array_elements_text(${sql.json(userIds ?? [])}))`;
    await sql`UPDATE waiting_room SET next_due = next_due - make_interval(secs => ${seconds})`;
  });
}

/** What is left of replies that are of no interest: what a client of the room calls, over HTTP. */
export function callRoom(server: Pick<RunningServer, "url">) {
  const call = async (method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Reply> => {
    const response = await fetch(server.url + ROUTE + path, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),
      ...(signal && { signal }),
    });
    return { status: response.status, headers: response.headers, body: await response.json() };
  };
  const at = (path: string, user: string) => `${path}/${encodeURIComponent(user)}`;
  return {
    create: (user_id: string, more = {}) => call("POST", "/create", { user_id, session_id: randomUUID(), ...more }),
    close: (user: string) => call("DELETE", at("/close", user)),
    position: (user: string) => call("GET", at("/position", user)),
    status: () => call("GET", "/status"),
    permit: (user_id: string, wait_ms = 0, signal?: AbortSignal) =>
      call("POST", "/requests", { user_id, wait_ms }, signal),
    giveBack: (permitId: string) => call("DELETE", `/requests/${permitId}`),
    call,
  };
}

/** Users who come one after the other. */
export async function comeIn(room: ReturnType<typeof callRoom>, count: number, more = {}): Promise<string[]> {
  const users = Array.from({ length: count }, (_, n) => newUser(`u${n + 1}`));
  for (const user of users) expect((await room.create(user, more)).status).toBe(200);
  return users;
}

/**
 * Plays the audit: nobody is let in past somebody ahead unless it is counted as an inversion, no seat is taken twice, there
 * is never one taken too many, and at the end the line and the seats are those in the table.
 */
export async function replayMoves(
  db: TestDatabase,
): Promise<{ promotions: number; inversions: number; mostSeated: number }> {
  const moves = (await db.sql`SELECT * FROM waiting_room_moves ORDER BY id`) as unknown as Move[];
  const { promotions, passedOver, mostSeated, wrong, line, seated } = replay(moves);
  expect(wrong).toEqual([]);
  const rows =
    await db.sql`SELECT user_id FROM waiting_room_places WHERE seated_at IS NULL ORDER BY priority DESC, ticket`;
  expect(line).toEqual(rows.map((row) => row.user_id));
  const seats = await db.sql`SELECT user_id FROM waiting_room_places WHERE seated_at IS NOT NULL`;
  expect(seated.sort()).toEqual(seats.map((row) => row.user_id).sort());
  return { promotions, inversions: passedOver.length, mostSeated };
}

/** The counts in the room's row are those of the places. */
export async function expectTrueCounts(db: TestDatabase): Promise<void> {
  const [row] = await db.sql`
    SELECT r.active = (SELECT count(*) FROM waiting_room_places WHERE seated_at IS NOT NULL) AS seats,
           r.waiting = ARRAY(SELECT count(p.user_id)::int FROM generate_series(0, 9) AS n
                             LEFT JOIN waiting_room_places p ON p.priority = n AND p.seated_at IS NULL
                             GROUP BY n ORDER BY n) AS line
    FROM waiting_room r`;
  expect(row).toEqual({ seats: true, line: true });
}
