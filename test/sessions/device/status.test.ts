import { describe, expect, it } from "vitest";
import { useApp } from "../../support/app.ts";
import { useDatabase } from "../../support/database.ts";
import { newAccessKey, newSessionId } from "../../support/secrets.ts";

const db = useDatabase();
const app = useApp(db);

const status = async (body: object) => {
  const reply = await app.post("/api/session/status", body);
  expect(reply.status).toBe(200);
  return reply.body;
};

describe("POST /api/session/status", () => {
  it("shows the holder to its own device with the whole id, and to anybody else with a masked one", async () => {
    const { key } = await db.makeKey();
    const session_id = newSessionId();
    const device = { name: "Office PC", platform: "windows", app_version: "1.2.3" };
    const started = (await app.post("/api/session/start", { access_key: key, session_id, device })).body;
    const own = await status({ access_key: key, session_id });
    expect(own).toEqual({
      active: true,
      session: {
        session_id,
        is_current: true,
        generation: started.generation,
        device,
        started_at: started.started_at,
        last_heartbeat: started.started_at,
        expires_at: started.expires_at,
      },
    });
    for (const body of [{ access_key: key }, { access_key: key, session_id: newSessionId() }]) {
      const seen = await status(body);
      expect(seen.session).toMatchObject({ session_id: `${session_id.slice(0, 8)}…`, is_current: false });
      expect(JSON.stringify(seen)).not.toContain(session_id);
    }
  });

  it("is inactive for an unknown, a free, a revoked and an expired session's key, all alike", async () => {
    const [free, ended, revoked, expired] = await Promise.all([1, 2, 3, 4].map(() => db.makeKey()));
    for (const made of [ended, revoked, expired]) {
      await app.post("/api/session/start", { access_key: made?.key, session_id: newSessionId() });
    }
    await db.sql`SELECT revoke_key(${revoked?.id as number}, NULL)`;
    await db.age(expired?.id as number, 60);
    const session_id = (await app.post("/api/session/start", { access_key: ended?.key })).body.session_id;
    await app.post("/api/session/end", { session_id });
    for (const access_key of [newAccessKey(), free?.key, ended?.key, revoked?.key, expired?.key]) {
      expect(await status({ access_key })).toEqual({ active: false });
    }
  });

  it("is active at 59 seconds of silence, and asking is no heartbeat", async () => {
    const { key, id } = await db.makeKey();
    await app.post("/api/session/start", { access_key: key });
    await db.age(id, 59);
    expect((await status({ access_key: key })).active).toBe(true);
    await db.age(id, 2);
    expect((await status({ access_key: key })).active).toBe(false);
  });
});
