/** What the tests of the waiting room's client need: a room, users, and what a watch has told. */
import { expect } from "vitest";
import { createWaitingRoom, type PlaceEvent, type RoomOptions } from "../../../../src/client/waiting-room/index.ts";
import type { TestApp } from "../../../support/app.ts";
import type { TestDatabase } from "../../../support/database.ts";

/** Rejects with this code. */
export const code = (code: string) => expect.objectContaining({ name: "KeybeatError", code });

export const clientOf = (app: TestApp, options: Partial<RoomOptions> = {}) =>
  createWaitingRoom({ baseUrl: app.url, ...options });

/** Everything a watch tells, in short: "position 2", "promoted", "closed left", "error unreachable". */
export function listen() {
  const told: string[] = [];
  const on = (event: PlaceEvent) => {
    const more = { position: "position", promoted: "user_id", closed: "reason", expired: "reason", error: "error" };
    const detail = (event as unknown as Record<string, unknown>)[more[event.type]];
    told.push(
      event.type === "error"
        ? `error ${event.error.code}`
        : event.type === "promoted"
          ? "promoted"
          : `${event.type} ${detail}`,
    );
  };
  return { told, on };
}

/** The users with a place: seated ones first, then the line in order. */
export const placesOf = async (db: TestDatabase) =>
  (await db.sql`SELECT user_id FROM waiting_room_places ORDER BY seated_at IS NULL, priority DESC, ticket`).map(
    (row) => row.user_id as string,
  );
