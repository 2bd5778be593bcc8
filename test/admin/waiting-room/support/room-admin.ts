/** For the tests of the operators' side of the waiting room. */
import { beforeEach } from "vitest";
import type { RoomSettings } from "../../../../src/sessions/waiting-room/sql.ts";
import { callRoom, resetRoom } from "../../../sessions/waiting-room/support/room.ts";
import { useApp } from "../../../support/app.ts";
import { type TestDatabase, useDatabase } from "../../../support/database.ts";

/** For a test file: the service, and its waiting room as users call it, empty and with these settings before each test. */
export function useRoom(settings: Partial<RoomSettings>) {
  const db = useDatabase();
  const app = useApp(db);
  beforeEach(() => resetRoom(db, settings));
  return { db, app, room: callRoom(app) };
}

export async function seatedOf(db: TestDatabase): Promise<string[]> {
  const rows = await db.sql`SELECT user_id FROM waiting_room_places WHERE seated_at IS NOT NULL`;
  return rows.map((row) => row.user_id).sort();
}

/** What the audit log gets from now on. */
export async function newEntries(db: TestDatabase) {
  const [last] = await db.sql`SELECT coalesce(max(id), 0)::text AS id FROM audit_log`;
  return async () => [
    ...(await db.sql`SELECT who, action, details FROM audit_log WHERE id > ${last?.id}::bigint ORDER BY id`),
  ];
}
