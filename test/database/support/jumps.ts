/** A service on a database whose clock a test lets jump, and a device on it. */
import { beforeEach, expect } from "vitest";
import { resetRoom } from "../../sessions/waiting-room/support/room.ts";
import { ADMIN_TOKEN, useApp } from "../../support/app.ts";
import { resetClock } from "../../support/clock.ts";
import { useDatabase } from "../../support/database.ts";
import { newSessionId } from "../../support/secrets.ts";

interface Session {
  key: string;
  id: number;
  session_id: string;
  generation: number;
}

export function useJumps() {
  const db = useDatabase();
  const app = useApp(db, { adminToken: ADMIN_TOKEN, env: { LIMIT_STARTS: "10" } });

  beforeEach(async () => {
    await db.sql`TRUNCATE active_sessions, session_history, batch_sessions, batch_nodes, batch_events`;
    await db.sql`DELETE FROM game_sessions`;
    await resetRoom(db, { maxActive: 1, seatSeconds: 60 });
    await resetClock(db);
  });

  const status = async ({ key }: Session) => (await app.post("/api/session/status", { access_key: key })).body;
  return {
    db,
    app,
    async start(): Promise<Session> {
      const { key, id } = await db.makeKey();
      const session_id = newSessionId();
      const { status, body } = await app.post("/api/session/start", { access_key: key, session_id });
      expect(status).toBe(200);
      return { key, id, session_id, generation: body.generation };
    },
    beat: async ({ session_id }: Session) => (await app.post("/api/session/heartbeat", { session_id })).status,
    status,
    isLive: async (session: Session) => (await status(session)).active as boolean,
  };
}
